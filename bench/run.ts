/** npm run bench [-- wan] [options]: the Reach tables (reach.ts), or fast transfers over long, lossy links (wan/run.ts). */
if (process.argv[2] === 'wan') {
  process.argv.splice(2, 1);
  await import('./wan/run.ts');
} else await import('./reach.ts');
