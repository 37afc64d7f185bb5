/**
 * The import table of the house. A folder may import the leaves and `contract`, itself, and what its row names: `values` at run time,
 * `types` by `import type` only. Everything crosses through the door (`index.ts`) of the other folder.
 */
export type Row = {
  readonly values?: readonly string[]
  readonly types?: readonly string[]
  /** npm packages that only this folder may load; any other package is a violation. */
  readonly packages?: readonly string[]
  /** No `node:` module. */
  readonly pure?: true
}

export const leaves = ['clock', 'errors', 'expressions', 'json', 'observability'] as const
const pureRules = ['scheduling', 'graph', 'scaling', 'retry', 'alerting', 'history', 'forecasting', 'workloads']
const ports = ['kube', 'broker']
const services = [
  'brokers',
  'secrets',
  'config-maps',
  'signals',
  'tracking',
  'jobs',
  'executions',
  'engine',
  'primitives',
  'slots',
  'runs',
  'queue-settings',
  'orphaned-data',
  'notifications',
  'status',
].map((room) => `services/${room}`)
/** A room of the services, and which other rooms it uses. */
const service = (...others: readonly string[]): Row => ({
  values: ['api', ...pureRules, 'plans', ...others.map((room) => `services/${room}`)],
  types: ports,
})

export const table: Readonly<Record<string, Row>> = {
  contract: { pure: true },
  clock: {},
  errors: { pure: true },
  json: { pure: true },
  expressions: { values: ['errors', 'json'], packages: ['@marcbachmann/cel-js'] },
  observability: { packages: ['pino', 'prom-client', '@opentelemetry/api'] },
  api: { pure: true },
  ...Object.fromEntries(pureRules.map((folder) => [folder, { types: ['api'], pure: true } satisfies Row])),
  scheduling: { types: ['api'], pure: true, packages: ['ical.js'] },
  kube: { types: ['api'], packages: ['undici', '@kubernetes/client-node'] },
  broker: { types: ['api'], packages: ['bullmq', 'ioredis'] },
  timelines: { values: ['scheduling'], pure: true },
  // Not `pure`: it hashes with node:crypto. Time, chance and environment are kept out of it like everywhere.
  plans: { values: ['api', ...pureRules], types: ['broker'] },
  lint: { values: ['api', 'plans'], packages: ['yaml'] },
  import: { values: ['lint'], packages: ['yaml'] },
  runtime: { values: ['retry'] },
  'services/secrets': service(),
  'services/config-maps': service(),
  'services/brokers': service('secrets'),
  'services/signals': service('brokers'),
  'services/tracking': service('brokers', 'signals'),
  'services/jobs': service(),
  'services/executions': service(),
  'services/engine': service('brokers'),
  'services/primitives': service('brokers', 'engine', 'jobs', 'signals'),
  'services/slots': service('brokers', 'engine', 'signals', 'tracking', 'jobs', 'executions', 'primitives'),
  'services/runs': service('brokers', 'engine', 'signals', 'tracking', 'jobs', 'executions'),
  'services/queue-settings': service('brokers', 'engine'),
  'services/orphaned-data': service('brokers', 'engine', 'primitives', 'slots', 'runs', 'queue-settings', 'tracking', 'jobs'),
  'services/notifications': service('secrets'),
  'services/status': service(),
  'controllers/*': { values: ['api', ...pureRules, 'plans', 'runtime', ...services], types: ports },
  worker: { values: ['retry'], types: ['broker'] },
  client: { values: ['retry'], types: ['broker'] },
  tasks: { values: ['retry'], types: ['broker'] },
  server: { values: ['api', ...pureRules, ...services], types: ports },
  cli: { values: ['api', ...pureRules, 'plans', 'timelines', ...services], types: ports },
  main: { values: ['*'], packages: ['*'] },
}

/** Files that bring in time, randomness, environment and signals; everywhere else these are values. */
export const impureFiles: readonly RegExp[] = [/^src\/main\//u, /^src\/clock\/(?:fake-)?clock\.ts$/u]

/**
 * A folder within a folder that hides the insides of a library: only its files import the package, others take types at most where
 * `typesElsewhere` says so, and everything else in the folder around it comes in through its door.
 */
export const glass = {
  folder: 'src/broker/bullmq/',
  packages: { bullmq: { typesElsewhere: false }, ioredis: { typesElsewhere: true } } as Readonly<
    Record<string, { readonly typesElsewhere: boolean }>
  >,
}

/** The composers: no door, no other folder imports them. */
export const doorless: readonly string[] = ['main']
