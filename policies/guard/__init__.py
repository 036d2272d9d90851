"""What the agent must never say."""
