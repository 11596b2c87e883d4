"""Image, pose and flow metrics; every name says its protocol."""
