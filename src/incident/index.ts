/** What the command line needs of this room. It loads DuckDB, a native add-on: import it only when it is wanted. */
export { buildIndex, openIfCurrent } from './index-build.ts';
export type { BuildOptions, BuildResult } from './index-build.ts';
export { IndexFile } from './index-file.ts';
export { investigate } from './questions.ts';
export { SilenceProofs } from './silence-proofs.ts';
export type { Answer } from './answer.ts';
export type { Filters } from './filters.ts';
