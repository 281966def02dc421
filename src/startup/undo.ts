/** A step that takes down what a start has built. Undone in the opposite order. */
export type Undo = () => void | Promise<void>;
