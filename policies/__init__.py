"""Pure decisions: no I/O, no clock, no environment. Given text and values, they answer with values."""
