"""The web pages people look at, and the browser phone."""
