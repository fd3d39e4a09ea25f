"""The network: Segment Anything in plain torch, and where its weights come from."""
