"""The algorithm-aided loops: where training, detection, pixels and the rules of curation meet."""
