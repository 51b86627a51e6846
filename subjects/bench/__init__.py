"""The screens for busy hands: pages for a tablet, the data they keep for when the network is gone, and what becomes of their entries."""
