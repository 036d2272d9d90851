"""Language models: one provider a file, behind the port of `port.py`."""
