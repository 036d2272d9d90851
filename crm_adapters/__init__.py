"""Where facts about a caller come from and where outcomes go: one CRM a file."""
