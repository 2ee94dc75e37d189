"""Bundles on disk: manifest, files, golden rows and what files alone can show; no Keras."""
