"""What makes of station do differently from the specification, as data: a file per profile, beside this one and in the
operator's own directory (`OHMSTEAD_QUIRKS_DIR`)."""
