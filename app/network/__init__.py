"""The trained network: Keras layers, bundles, and the engine that runs them."""
