"""What we know of remote files: path mapper, manifest, content store, locks, records of temporaries."""
