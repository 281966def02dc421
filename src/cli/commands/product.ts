import { command } from '../command.ts';
import { splitFolder } from '../folder-name.ts';

const product = { doc: 'What you call the product.' } as const;
const folder = { doc: 'Tenant and folder, as TENANT/FOLDER.' } as const;

export const PRODUCT_COMMANDS = [
  command({
    name: 'product add',
    doc: 'Say that a product of yours uses a folder, from now on: waybill investigate then tells which products depend on what was touched.',
    arguments: { product, folder },
    options: {},
    async run(input, { server, output }) {
      const row = await server.call('product.add', { product: input.product, ...splitFolder(input.folder) });
      output.answer(row, `${row.product} uses ${row.tenant}/${row.folder}.`);
    },
  }),
  command({
    name: 'product list',
    doc: 'List products with the folders that they use.',
    arguments: {},
    options: {},
    async run(_input, { server, output }) {
      const answer = await server.call('product.list', {});
      const rows = answer.products.map((row) => [row.product, `${row.tenant}/${row.folder}`]);
      output.table(answer, ['PRODUCT', 'FOLDER'], rows, 'No products.');
    },
  }),
  command({
    name: 'product remove',
    doc: 'Say that a product uses a folder no longer. What it used before stays in the ledger.',
    arguments: { product, folder },
    options: {},
    async run(input, { server, output }) {
      await server.call('product.remove', { product: input.product, ...splitFolder(input.folder) });
      output.answer({ removed: input.folder }, `${input.product} uses ${input.folder} no longer.`);
    },
  }),
];
