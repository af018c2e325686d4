"""Detectors in torch, and their export to ONNX graphs that give points."""
