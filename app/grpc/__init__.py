"""The Open Inference Protocol over gRPC, with Triton's calls about models and statistics."""
