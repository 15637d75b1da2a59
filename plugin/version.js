// The version of this plugin; the sidecar it starts must be of the same one.
export const VERSION = "0.1.0"
