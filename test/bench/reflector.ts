/**
 * A cache of 10,000 objects: ours, by a streamed list and by pages, and the informer of client-node, each in a process of its own, from
 * the same scripted API server. Prints how fast the list is in the cache, how fast changes of a watch are, what an object costs in
 * memory, and how long the event loop was blocked at the worst while listing and while watching.
 */
import { fork } from 'node:child_process'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { workerPools, type WorkerPool } from '../../src/api/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { createInformer, createKubeClient } from '../../src/kube/index.ts'
import { silentLogger } from '../../src/observability/index.ts'

const objects = 10_000
const changes = 10_000
const subjects = ['taskmill, streamed', 'taskmill, pages', 'client-node'] as const
type Subject = (typeof subjects)[number]
type Blocked = { readonly wallMs: number; readonly cpuMs: number }
type Figures = {
  readonly listMs: number
  readonly watchMs: number
  readonly heapBytes: number
  readonly listBlocked: Blocked
  readonly watchBlocked: Blocked
}

/** About 4 KB, half of it managedFields, as a pool with a pod template has. */
function poolAt(index: number, version: number): object {
  const env = Array.from({ length: 12 }, (_, n) => ({ name: `SETTING_${n}`, value: `value of setting ${n} of pool ${index}` }))
  const fields = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`f:field${n}`, { '.': {}, [`k:{"name":"SETTING_${n}"}`]: {} }]))
  return {
    apiVersion: 'taskmill.dev/v1alpha1',
    kind: 'WorkerPool',
    metadata: {
      namespace: `team-${index % 50}`,
      name: `pool-${index}`,
      uid: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
      resourceVersion: `${version}`,
      generation: 1,
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels: { app: `app-${index % 100}`, team: `team-${index % 50}` },
      managedFields: [
        { manager: 'kubectl', operation: 'Apply', apiVersion: 'taskmill.dev/v1alpha1', time: '2026-01-01T00:00:00Z', fieldsV1: fields },
      ],
    },
    spec: {
      brokerRef: { name: 'default' },
      queues: [{ name: `queue-${index}` }],
      concurrency: 1,
      scaling: { minReplicas: 0, maxReplicas: 10, targetBacklogPerReplica: 10 },
      template: { spec: { containers: [{ name: 'worker', image: 'registry.example/worker:1', env }] } },
    },
    status: { observedGeneration: 1, desiredReplicas: 0, replicas: 0, readyReplicas: 0, ready: '0/0', busy: '0/0', backlog: version },
  }
}

/** Answers lists in pages, streamed lists and watches; a watch sends `changes` modifications as soon as `change` is called. */
async function startServer() {
  const listed = Array.from({ length: objects }, (_, index) => JSON.stringify(poolAt(index, index + 1)))
  const modified = Array.from(
    { length: changes },
    (_, n) => `{"type":"MODIFIED","object":${JSON.stringify(poolAt(n % objects, objects + n + 1))}}\n`,
  )
  let watcher: ServerResponse | undefined
  const write = async (response: ServerResponse, lines: Iterable<string>): Promise<void> => {
    for (const line of lines) if (!response.write(line)) await new Promise((resolve) => response.once('drain', resolve))
  }
  const server = createServer((request, response) => {
    const query = new URL(request.url ?? '/', 'http://server').searchParams
    response.writeHead(200, { 'content-type': 'application/json' })
    if (!query.has('watch')) {
      const from = Number(query.get('continue') ?? 0)
      const to = query.has('limit') ? from + Number(query.get('limit')) : objects
      const more = to < objects ? `,"continue":"${to}"` : ''
      response.end(
        `{"kind":"WorkerPoolList","apiVersion":"taskmill.dev/v1alpha1","metadata":{"resourceVersion":"${objects}"${more}},"items":[${listed.slice(from, to).join(',')}]}`,
      )
      return
    }
    response.flushHeaders()
    watcher = response
    const end = `{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"${objects}","annotations":{"k8s.io/initial-events-end":"true"}}}}\n`
    if (query.has('sendInitialEvents')) void write(response, [...listed.map((object) => `{"type":"ADDED","object":${object}}\n`), end])
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    change: () => watcher && write(watcher, modified),
    [Symbol.dispose]: () => server.close(() => {}).closeAllConnections(),
  }
}

const bytesInUse = async (): Promise<number> => {
  for (let n = 0; n < 3; n++) {
    globalThis.gc?.()
    await sleep(50)
  }
  return process.memoryUsage().heapUsed
}

/**
 * The longest time between two turns of the event loop, on the wall and on the processor: on a machine that is busy with other things
 * only the second is ours.
 */
function watchLoop(): { longest(): Blocked } {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  let longestCpuMs = 0
  let before = process.threadCpuUsage()
  const turn = (): void => {
    const now = process.threadCpuUsage()
    longestCpuMs = Math.max(longestCpuMs, (now.user + now.system - before.user - before.system) / 1000)
    before = now
    setImmediate(turn)
  }
  setImmediate(turn)
  return {
    longest() {
      const blocked = { wallMs: delay.max / 1e6, cpuMs: longestCpuMs }
      delay.reset()
      longestCpuMs = 0
      before = process.threadCpuUsage()
      return blocked
    },
  }
}

/** In a process of its own: caches everything, then follows all changes, and reports to the parent. */
async function measure(subject: Subject, url: string): Promise<void> {
  const start = subject === 'client-node' ? await clientNode(url) : taskmill(url, subject === 'taskmill, streamed')
  const before = await bytesInUse()
  const loop = watchLoop()
  let modified = 0
  const followed = Promise.withResolvers<void>()
  const listStarted = performance.now()
  loop.longest()
  const holds = await start(() => {
    if (++modified === changes) followed.resolve()
  })
  const listMs = performance.now() - listStarted
  const listBlocked = loop.longest()
  const heapBytes = ((await bytesInUse()) - before) / objects
  loop.longest()
  const watchStarted = performance.now()
  process.send?.('listed')
  await followed.promise
  const watchMs = performance.now() - watchStarted
  const watchBlocked = loop.longest()
  if (holds() !== objects) throw new Error(`${subject} holds ${holds()} objects`)
  process.send?.({ listMs, watchMs, heapBytes, listBlocked, watchBlocked } satisfies Figures)
}

/** Begins to fill a cache; resolves, when the list is in it, with how many objects it holds. */
type Start = (onModified: () => void) => Promise<() => number>

function taskmill(url: string, streamLists: boolean): Start {
  const client = createKubeClient({ server: url, clock: systemClock })
  const informer = createInformer<WorkerPool>({
    client,
    resource: workerPools,
    clock: systemClock,
    log: silentLogger,
    rng: Math.random,
    streamLists,
  })
  return async (onModified) => {
    informer.onChange((_, current, previous) => {
      if (current && previous) onModified()
    })
    informer.start(new AbortController().signal)
    await informer.synced
    return () => informer.list().length
  }
}

async function clientNode(url: string): Promise<Start> {
  const { CustomObjectsApi, KubeConfig, makeInformer } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  config.loadFromClusterAndUser({ name: 'c', server: url, skipTLSVerify: true }, { name: 'u' })
  const api = config.makeApiClient(CustomObjectsApi)
  const place = { group: 'taskmill.dev', version: 'v1alpha1', plural: 'workerpools' }
  const informer = makeInformer(config, '/apis/taskmill.dev/v1alpha1/workerpools', () => api.listClusterCustomObject(place) as never)
  return async (onModified) => {
    informer.on('update', onModified)
    await informer.start()
    return () => informer.list().length
  }
}

async function figuresOf(subject: Subject): Promise<Figures> {
  using server = await startServer()
  const child = fork(fileURLToPath(import.meta.url), [subject, server.url], { execArgv: ['--expose-gc'] })
  try {
    return await new Promise((resolve, reject) => {
      child.on('message', (message) => {
        if (message === 'listed') void server.change()
        else resolve(message as Figures)
      })
      child.on('exit', (code) => reject(new Error(`${subject} ended with ${code}`)))
    })
  } finally {
    child.kill()
  }
}

export async function benchReflector(): Promise<void> {
  console.log(
    `\nA cache of ${objects.toLocaleString('en')} WorkerPools of about ${(JSON.stringify(poolAt(1, 1)).length / 1024).toFixed(1)} KB, then ${changes.toLocaleString('en')} changes`,
  )
  const shown = ({ wallMs, cpuMs }: Blocked): string => `${cpuMs.toFixed(0)} (${wallMs.toFixed(0)}) ms`
  const columns = ['list, objects/s', 'watch, changes/s', 'heap, KB/object', 'longest turn, list', 'longest turn, watch']
  console.log(`  ${''.padEnd(20)}${columns.map((column) => column.padStart(21)).join('')}`)
  console.log(`  longest turn of the event loop: on the processor (on the wall)`)
  for (const subject of subjects) {
    const { listMs, watchMs, heapBytes, listBlocked, watchBlocked } = await figuresOf(subject)
    const cells = [
      ((objects / listMs) * 1000).toFixed(0),
      ((changes / watchMs) * 1000).toFixed(0),
      (heapBytes / 1024).toFixed(2),
      shown(listBlocked),
      shown(watchBlocked),
    ]
    console.log(`  ${subject.padEnd(20)}${cells.map((cell) => cell.padStart(21)).join('')}`)
  }
}

const [, program = '', subject, url] = process.argv
if (import.meta.url === pathToFileURL(program).href && url) await measure(subject as Subject, url)
