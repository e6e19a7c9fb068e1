"""Pictures: reading and writing files, and reducing an image to K colours."""
