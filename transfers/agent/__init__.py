"""The copy agent: a worker on a lab's own server. It alone writes beside the backends, and only inside one repository's root."""
