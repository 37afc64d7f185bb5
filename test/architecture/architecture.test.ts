import { globSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { violations } from './violations.ts'

const house = new Map(
  globSync('src/**/*.ts', { cwd: process.cwd() })
    .filter((path) => !path.endsWith('.test.ts') && !path.endsWith('/fixtures.ts'))
    .map((path) => [path, readFileSync(path, 'utf8')]),
)

it('the house keeps its own rules', () => {
  expect(house.size).toBeGreaterThan(50)
  expect(violations(house)).toEqual([])
})

describe('the rules bite', () => {
  const planted: readonly { name: string; path: string; source: string; want: RegExp }[] = [
    {
      name: 'a controller talks to the API server',
      path: 'src/controllers/worker-pool/x.ts',
      source: `import { createKubeClient } from '../../kube/index.ts'; createKubeClient`,
      want: /may import only types of kube/u,
    },
    {
      name: 'the worker loads Kubernetes',
      path: 'src/worker/x.ts',
      source: `import type { KubeClient } from '../kube/index.ts'; export type X = KubeClient`,
      want: /worker may not import kube/u,
    },
    {
      name: 'pure rules import values of the api',
      path: 'src/scaling/x.ts',
      source: `import { workerPools } from '../api/index.ts'; workerPools`,
      want: /may import only types of api/u,
    },
    {
      name: 'past the door',
      path: 'src/services/status/x.ts',
      source: `import { demandOf } from '../../scaling/demand.ts'; demandOf`,
      want: /past the door of scaling/u,
    },
    {
      name: 'a dynamic import past the table',
      path: 'src/worker/x.ts',
      source: `export const load = () => import('../runtime/index.ts')`,
      want: /worker may not import runtime/u,
    },
    {
      name: 'one controller imports another',
      path: 'src/controllers/worker-pool/x.ts',
      source: `import { createTaskBrokerController } from '../task-broker/index.ts'; createTaskBrokerController`,
      want: /may not import controllers\/task-broker/u,
    },
    {
      name: 'the brokers look into the drivers',
      path: 'src/services/brokers/x.ts',
      source: `import { createSweep } from '../runs/index.ts'; createSweep`,
      want: /services\/brokers may not import services\/runs/u,
    },
    {
      name: 'a leaf imports the house',
      path: 'src/errors/x.ts',
      source: `import { annotations } from '../contract/index.ts'; annotations`,
      want: /errors may not import contract/u,
    },
    {
      name: 'Redis outside of broker',
      path: 'src/services/status/x.ts',
      source: `import { Redis } from 'ioredis'; Redis`,
      want: /may not import the package ioredis/u,
    },
    {
      name: 'BullMQ beside its glass',
      path: 'src/broker/x.ts',
      source: `import type { Job } from 'bullmq'; export type X = Job`,
      want: /only src\/broker\/bullmq\/ may import bullmq/u,
    },
    {
      name: 'a client of ioredis beside the glass',
      path: 'src/broker/x.ts',
      source: `import { Redis } from 'ioredis'; Redis`,
      want: /only src\/broker\/bullmq\/ may import values of ioredis/u,
    },
    {
      name: 'past the door of the glass',
      path: 'src/broker/x.ts',
      source: `import { QueueSource } from './bullmq/queue-source.ts'; QueueSource`,
      want: /past the door of src\/broker\/bullmq\//u,
    },
    {
      name: 'a pure folder reads files',
      path: 'src/scaling/x.ts',
      source: `import { readFileSync } from 'node:fs'; readFileSync`,
      want: /pure folder imports node:fs/u,
    },
    {
      name: 'the system clock in pure rules',
      path: 'src/scaling/x.ts',
      source: `export const now = () => Date.now()`,
      want: /Date\.now enters at main only/u,
    },
    {
      name: 'chance',
      path: 'src/runtime/x.ts',
      source: `export const roll = () => Math.random()`,
      want: /Math\.random enters at main only/u,
    },
    {
      name: 'an empty Date',
      path: 'src/services/status/x.ts',
      source: `export const now = () => new Date()`,
      want: /new Date\(\) enters at main only/u,
    },
    {
      name: 'the environment',
      path: 'src/worker/x.ts',
      source: `export const home = () => process.env['HOME']`,
      want: /process enters at main only/u,
    },
    {
      name: 'a raw timer',
      path: 'src/services/status/x.ts',
      source: `export const later = (f: () => void) => setTimeout(f, 1)`,
      want: /setTimeout enters at main only/u,
    },
    {
      name: 'a folder that is not declared',
      path: 'src/utils/index.ts',
      source: `export const x = 1`,
      want: /folder utils is not in the import table/u,
    },
    {
      name: 'a folder without a door',
      path: 'src/forecasting/order.ts',
      source: `export const x = 1`,
      want: /src\/forecasting: has no door/u,
    },
    {
      name: 'a cycle of types within a folder',
      path: 'src/scaling/demand.ts',
      source: `import type { Signal } from './decide-replicas.ts'; export type Demand = Signal; export type QueueLoad = Signal; export const demandOf = 1`,
      want: /cycle of files: .*src\/scaling\/demand\.ts/u,
    },
    {
      name: 'a cycle of folders',
      path: 'src/contract/x.ts',
      source: `import type { Broker } from '../broker/index.ts'; export type X = Broker`,
      want: /cycle of folders: .*contract/u,
    },
  ]
  it.each(planted)('$name', ({ path, source, want }) => {
    expect(violations(new Map([...house, [path, source]])).join('\n')).toMatch(want)
  })

  it('and leaves alone what is allowed', () => {
    const allowed = new Map([
      ...house,
      ['src/controllers/worker-pool/x.ts', `import type { KubeClient } from '../../kube/index.ts'; export type X = KubeClient`],
      [
        'src/scaling/x.ts',
        `export const at = (ms: number) => new Date(ms); export type O = { process: number; setTimeout(fn: () => void): void }`,
      ],
    ])
    expect(violations(allowed)).toEqual(violations(house))
  })
})
