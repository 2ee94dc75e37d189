"""Checks any server of the Open Inference Protocol, version 2, from outside, over HTTP.

Each check asks what a client could ask and compares the answer with the protocol's text or with
what widely used clients need. None loads or unloads a model.
"""
