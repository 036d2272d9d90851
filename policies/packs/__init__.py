"""Rule packs, as data."""
