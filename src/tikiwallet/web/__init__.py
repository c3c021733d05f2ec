"""The HTTP side: routes, problem documents, metrics. Nothing here decides about money."""
