"""Pure text: replacers, patches, diffs, encodings, byte order marks, line ends. No I/O."""
