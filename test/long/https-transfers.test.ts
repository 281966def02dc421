import { transfers } from '../protocols/https/transfers.ts';

transfers(300_000_000);
