"""What listens: the socket, the HTTP routes, the signals, the watched folder. `ipaas.app` puts them together."""
