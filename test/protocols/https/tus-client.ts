/**
 * tus-js-client in a process that can be killed: ENDPOINT FILE PATH CA STORAGE, the token in TOKEN. Goes on with what the
 * storage knows of the file. Writes how far the server says it is.
 */
import { createReadStream, readFileSync, statSync, writeSync } from 'node:fs';
import { Agent } from 'node:https';
import * as tus from 'tus-js-client';

const [endpoint = '', file = '', path = '', ca = '', storage = ''] = process.argv.slice(2);
/** Its types are those of its build for browsers. */
const { FileUrlStorage } = tus as unknown as { FileUrlStorage: new (file: string) => tus.UrlStorage };

const upload = new tus.Upload(createReadStream(file), {
  endpoint,
  uploadSize: statSync(file).size,
  metadata: { path },
  headers: { Authorization: `Bearer ${process.env['TOKEN'] ?? ''}` },
  retryDelays: [0, 200, 1000],
  urlStorage: new FileUrlStorage(storage),
  httpStack: new tus.DefaultHttpStack({ agent: new Agent({ ca: readFileSync(ca) }) }),
  onAfterResponse: (request, response) => {
    if (request.getMethod() === 'HEAD') writeSync(1, `${response.getHeader('Upload-Offset') ?? ''}\n`);
  },
  onSuccess: () => {
    writeSync(1, 'done\n');
  },
  onError: (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  },
});
const before = await upload.findPreviousUploads();
writeSync(1, `${before.length} known\n`);
if (before[0] !== undefined) upload.resumeFromPreviousUpload(before[0]);
upload.start();
