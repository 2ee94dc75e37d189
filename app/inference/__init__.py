"""The Open Inference Protocol, version 2: tensors in, tensors out, over the same use cases."""
