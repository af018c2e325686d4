"""The rules of curation, without a network: agreement, consensus, crowd boxes."""
