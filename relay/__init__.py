"""The shell: HTTP, websocket, language models, session state, command line, wiring."""
