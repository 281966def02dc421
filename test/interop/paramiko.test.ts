import { pythonClient } from './python-client.ts';
import { interop } from './suite.ts';

interop(pythonClient('paramiko'));
