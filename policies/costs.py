"""What the words of a call cost: tokens as the providers count them, by the prices of the agent file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from policies.agent_llm import Price

PER: float = 1_000_000.0  # prices are for so many tokens


@dataclass(slots=True)
class CallUsage:
    """Sums over one call. `prices` by the name of the model; one without a price costs nothing known."""

    prices: Mapping[str, Price] = field(default_factory=dict)
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost: float = 0.0  # in the currency of the prices

    def add(self, model: str, input_tokens: int, output_tokens: int, cached_tokens: int) -> float | None:
        """Of one answer; its cost, None where the model has no price. Cached tokens are part of the input."""
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens
        self.cached_tokens += cached_tokens
        price = self.prices.get(model)
        if price is None:
            return None
        fresh = max(0, input_tokens - cached_tokens)
        cached = price.input if price.cached is None else price.cached
        cost = (fresh * price.input + cached_tokens * cached + output_tokens * price.output) / PER
        self.cost += cost
        return cost
