"""From a trained student to a bundle: ONNX, int8, verified, packed."""
