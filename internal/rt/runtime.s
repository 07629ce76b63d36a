// Functions of this package without a body are linked to the runtime.
