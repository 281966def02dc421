import { transfers } from './transfers.ts';

transfers(24 * 2 ** 20 + 4321);
