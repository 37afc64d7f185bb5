/** The command line as people use it: as a plugin of kubectl, found by PATH, against a real API server with an operator. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import {
  deployments,
  findCondition,
  taskAlerts,
  taskExecutions,
  taskSchedules,
  workerPools,
  type TaskAlert,
  type TaskExecution,
} from '../../src/api/index.ts'
import type { KubeClient } from '../../src/kube/index.ts'
import { tools } from '../chart/helm.ts'
import { observe } from '../support/cluster-client.ts'
import { createDependency, createPool, createSchedule } from '../support/manifests.ts'
import { scheduleHome, type ScheduleHome } from './schedule-home.ts'

let home: ScheduleHome
let namespace: string
let client: KubeClient
let folder: string

beforeAll(async () => {
  home = await scheduleHome('cli')
  ;({ namespace } = home)
  client = home.client
  folder = mkdtempSync(join(tmpdir(), 'taskmill-cli-'))
  // The namespace of the context is the one that commands mean without -n.
  const config = parse(readFileSync(home.cluster.kubeconfig, 'utf8')) as { contexts: { context: object }[] }
  for (const { context } of config.contexts) Object.assign(context, { namespace })
  writeFileSync(join(folder, 'kubeconfig'), stringify(config))
  // As npm links it: the program knows by its name how people call it.
  const [plugin, linked] = [join(folder, 'kubectl-taskmill'), join(folder, 'linked', 'kubectl-taskmill')]
  mkdirSync(join(folder, 'linked'))
  symlinkSync(resolve('src/main/cli.ts'), linked)
  writeFileSync(plugin, `#!/bin/sh\nexec ${process.execPath} --import ${resolve('test/support/loaded-modules.mjs')} ${linked} "$@"\n`)
  chmodSync(plugin, 0o755)
})

afterAll(async () => {
  await home?.stop()
  rmSync(folder, { recursive: true, force: true })
})

type Said = { readonly code: number; readonly out: string; readonly err: string }

const environment = (kubeconfig = join(folder, 'kubeconfig')) => ({
  ...process.env,
  PATH: `${folder}:${process.env['PATH'] ?? ''}`,
  KUBECONFIG: kubeconfig,
  LOADED_MODULES: join(folder, 'loaded'),
})

/** What a command says, with `default` in place of the name of this file's namespace. */
async function taskmill(...args: string[]): Promise<Said> {
  return say(environment(), args)
}

async function say(env: NodeJS.ProcessEnv, args: readonly string[]): Promise<Said> {
  try {
    const { stdout, stderr } = await promisify(execFile)(tools.kubectl, ['taskmill', ...args], { env })
    return { code: 0, out: plain(stdout), err: plain(stderr) }
  } catch (error) {
    const { code, stdout, stderr } = error as { readonly code: number; readonly stdout: string; readonly stderr: string }
    return { code, out: plain(stdout), err: plain(stderr) }
  }
}

const plain = (text: string): string => text.replaceAll(namespace, 'default')

/** The name of the run that a command names first. */
const runIn = ({ out, err }: Pick<Said, 'out' | 'err'>): string => /^tex\/(\S+) -n/mu.exec(`${err}\n${out}`)?.[1] ?? 'none'
const execution = (name: string, holds: (object: TaskExecution) => boolean) =>
  observe(client, taskExecutions, { namespace, name }, (object) => object !== undefined && holds(object))

it('scales a pool for a while, replaces an override, and takes it back', async () => {
  await createPool(client, namespace, 'email', { queues: [{ name: 'email' }], scaling: { maxReplicas: 4 } })
  await observe(client, workerPools, { namespace, name: 'email' }, (object) => object?.status?.reason === 'ScaledToZero')
  const scaled = await taskmill('scale', 'wp/email', '6', '--for', '1h', '--because', 'incident 4711')
  const { spec, metadata } = await client.get(workerPools, namespace, 'email')
  const { until = '', by = '' } = spec.override ?? {}
  expect(spec.override).toEqual({ replicas: 6, until, by, reason: 'incident 4711' })
  expect(Date.parse(until) - Date.now()).toBeGreaterThan(3_500_000)
  expect(scaled).toEqual({
    code: 0,
    err: '',
    out:
      `wp/email -n default: 6 replicas until ${until} (1h) by ${by}: "incident 4711". ` +
      'That is more than maxReplicas 4; the limit does not apply until then. To end it earlier: kubectl taskmill resume wp/email -n default\n',
  })
  const owners = metadata.managedFields as readonly { readonly manager: string; readonly fieldsV1: object }[]
  expect(owners.find(({ manager }) => manager === 'taskmill-cli')?.fieldsV1).toEqual({
    'f:spec': { 'f:override': { 'f:by': {}, 'f:reason': {}, 'f:replicas': {}, 'f:until': {} } },
  })
  await observe(client, deployments, { namespace, name: 'email' }, (object) => object?.spec.replicas === 6)

  const suspended = await taskmill('suspend', 'WorkerPool/email', '--for', '30m', '-n', namespace)
  expect(suspended.out).toContain(`It replaces the override until ${until} by ${by}: "incident 4711".`)
  await observe(client, deployments, { namespace, name: 'email' }, (object) => object?.spec.replicas === 0)
  expect((await client.get(workerPools, namespace, 'email')).spec.override).not.toHaveProperty('replicas')

  const resumed = await taskmill('resume', 'wp/email')
  expect(resumed).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^wp\/email -n default: removed the override until /u),
  })
  const after = await observe(client, workerPools, { namespace, name: 'email' }, (object) => object?.status?.reason === 'ScaledToZero')
  expect(after?.spec).not.toHaveProperty('override')
  expect((await taskmill('resume', 'wp/email')).out).toBe('wp/email -n default has no override: nothing to resume\n')
})

it('removes an override that a user wrote by other means', async () => {
  await createPool(client, namespace, 'edited', { queues: [{ name: 'edited' }] })
  const override = { until: '2090-01-01T00:00:00Z', suspend: true }
  const body = { metadata: { namespace, name: 'edited' }, spec: { override } }
  await client.apply(workerPools, body, { fieldManager: 'kubectl-edit', force: true })
  expect((await taskmill('resume', 'wp/edited')).code).toBe(0)
  expect((await client.get(workerPools, namespace, 'edited')).spec).not.toHaveProperty('override')
})

it('suspends and resumes schedules, and leaves to the manifest what is the manifest’s', async () => {
  await createSchedule(client, namespace, 'backup', { everySeconds: 3600, task: { type: 'x', queue: 'email' } })
  await createSchedule(client, namespace, 'resting', { everySeconds: 3600, suspend: true, task: { type: 'x', queue: 'email' } })
  const overridden = (name: string) =>
    observe(client, taskSchedules, { namespace, name }, (object) => findCondition(object?.status?.conditions, 'Overridden') !== undefined)
  expect((await taskmill('suspend', 'tsch/backup', '--for', '1d12h')).out).toMatch(
    /^tsch\/backup -n default: suspended until \S+ \(1d12h\) by /u,
  )
  expect((await overridden('backup'))?.status?.reason).toBe('OverrideActive')

  const refused = await taskmill('resume', 'tsch/resting')
  expect(refused).toEqual({
    code: 1,
    out: '',
    err:
      'kubectl taskmill resume: spec.suspend is true in tsch/resting itself; change its manifest. ' +
      'For a while: kubectl taskmill resume tsch/resting -n default --for 1h --because "…"\n',
  })
  expect((await taskmill('resume', 'tsch/resting', '--for', '1h')).out).toMatch(/^tsch\/resting -n default: not suspended until /u)
  expect((await overridden('resting'))?.status?.nextRuns?.length).toBeGreaterThan(0)
  expect((await taskmill('resume', 'tsch/resting')).out).toContain('It stays suspended: spec.suspend is true in tsch/resting itself.')
})

it('lists the next slots of a schedule, with what a clock change does to them', async () => {
  await createSchedule(client, namespace, 'early', {
    schedules: ['30 2 * * *'],
    timeZone: 'Europe/Berlin',
    suspend: true,
    task: { type: 'x', queue: 'email' },
  })
  const said = await taskmill('next', 'tsch/early', '--after', '2026-03-28T00:00:00Z', '--count', '2')
  expect(said).toEqual({
    code: 0,
    err: '',
    out: [
      'tsch/early -n default: 30 2 * * * in Europe/Berlin',
      'spec.suspend is true: no slot is dispatched until it is false',
      'SLOT                  LOCAL TIME',
      '2026-03-28T01:30:00Z  Sat 2026-03-28 02:30',
      '2026-03-29T01:00:00Z  Sun 2026-03-29 03:00  clocks skip 02:00 to 03:00: 02:30 runs at the end of the gap',
      '',
    ].join('\n'),
  })
  // Suspended by an override, from the test before.
  expect((await taskmill('next', 'tsch/backup')).out).toMatch(
    /^tsch\/backup -n default: every 3600s\nsuspended until \S+ by .*: no slot is dispatched until then\nSLOT .*\n(\d.*\n){5}$/u,
  )
})

it('runs what a schedule runs, with another payload, and waits for it', async () => {
  const consumer = home.consume('backups', async () => ({ saved: 3 }))
  await createSchedule(client, namespace, 'nightly', {
    schedules: ['0 1 1 1 *'],
    suspend: true,
    task: { type: 'backup', queue: 'backups', payload: { keep: { days: 30, hours: 5 }, at: '$(slot)' } },
  })
  const file = join(folder, 'payload.json')
  writeFileSync(file, '{"keep": {"days": 1}}')
  const said = await taskmill('run', 'tsch/nightly', '--payload', `@${file}`, '--slot-time', '2026-11-29T01:00:00Z', '--wait')
  const name = runIn(said)
  expect(name).toMatch(/^nightly-[a-z0-9]{5}$/u)
  expect(said).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^tex\/\S+ -n default: Succeeded after \d+[smh]\S*\. Result: \{"saved":3\}\n$/u),
  })
  expect(said.err).toContain(`tex/${name} -n default: a run of tsch/nightly, kept for 1d after its end.\n`)
  expect(consumer.runs.map(({ data }) => data)).toEqual([{ keep: { days: 1, hours: 5 }, at: '2026-11-29T01:00:00Z' }])
  const { spec, metadata } = await client.get(taskExecutions, namespace, name)
  expect(spec).toMatchObject({ scheduleRef: { name: 'nightly' }, ttlSecondsAfterFinished: 86_400 })
  expect((metadata.managedFields as readonly { readonly manager: string }[]).map(({ manager }) => manager)).toContain('taskmill-cli')
})

it('runs a task of a type in a queue, now or later', async () => {
  const consumer = home.consume('ad-hoc', async () => ({ pages: 7 }))
  const said = await taskmill('run', 'Reports/Monthly v2', '--queue', 'ad-hoc', '--payload', '{"month": 11}', '--wait')
  expect(runIn(said)).toMatch(/^reports-monthly-v2-[a-z0-9]{5}$/u)
  expect(said).toMatchObject({ code: 0, out: expect.stringMatching(/: Succeeded after \d+s\. Result: \{"pages":7\}\n$/u) })
  expect(consumer.runs.map(({ name, data }) => [name, data])).toEqual([['Reports/Monthly v2', { month: 11 }]])

  const later = await taskmill('run', 'report', '--queue', 'ad-hoc', '--delay', '1h', '--broker', 'default')
  expect(later.out).toContain(`a run of task/report in ad-hoc that starts in 1h, kept for 1d after its end.`)
  const { spec } = await client.get(taskExecutions, namespace, runIn(later))
  expect(spec).toMatchObject({ task: { type: 'report', queue: 'ad-hoc' }, delaySeconds: 3600, brokerRef: { name: 'default' } })
  const at = await taskmill('run', 'tsch/nightly', '--at', '2090-01-01T00:00:00Z')
  const run = await execution(runIn(at), ({ status }) => status?.waitingFor !== undefined)
  expect(run?.status?.waitingFor).toBe('its start at 2090-01-01T00:00:00Z')
  expect((await taskmill('cancel', `tex/${runIn(at)}`, '--wait')).out).toContain(': Cancelled after 0s')
  expect(consumer.runs).toHaveLength(1)
})

it('lists the slots of a backfill, refuses too many, and runs them', async () => {
  const consumer = home.consume('refill', async () => undefined)
  await createSchedule(client, namespace, 'refill', {
    schedules: ['0 1 * * *'],
    suspend: true,
    task: { type: 'x', queue: 'refill', payload: { slot: '$(slot)' } },
  })
  const range = ['--from', '2026-01-01T00:00:00Z', '--to', '2026-01-03T00:00:00Z']
  expect((await taskmill('backfill', 'tsch/refill', ...range, '--order', 'newest', '--dry-run')).out).toBe(
    [
      '2 slots of tsch/refill; nothing is created',
      'SLOT                  LOCAL TIME',
      '2026-01-02T01:00:00Z  Fri 2026-01-02 01:00',
      '2026-01-01T01:00:00Z  Thu 2026-01-01 01:00',
      '',
    ].join('\n'),
  )
  const refused = await taskmill('backfill', 'tsch/refill', ...range, '--max-runs', '1')
  expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('it has 2 slots, but at most 1 (maxRuns) may run')])
  expect(consumer.runs).toEqual([])
  const said = await taskmill('backfill', 'tsch/refill', ...range, '--wait')
  expect(said).toMatchObject({ code: 0, out: expect.stringMatching(/^tex\/refill-\w+ -n default: Succeeded after /u) })
  expect(said.err).toContain('-n default: 2 slots of tsch/refill, 1 at once, kept for 1d after its end.')
  expect(consumer.runs.map(({ data }) => data)).toEqual([{ slot: '2026-01-01T01:00:00Z' }, { slot: '2026-01-02T01:00:00Z' }])
})

it('runs a graph with parameters, and exits by how it ended', async () => {
  const consumer = home.consume('steps', () => Promise.reject(new Error('the mailbox is full')))
  const payload = { days: '$(parameters.days)', who: '$(parameters.who)' }
  await createDependency(client, namespace, 'mail', { nodes: [{ name: 'send', task: { type: 'send', queue: 'steps', payload } }] })
  const said = await taskmill('run', 'tdep/mail', '--param', 'days=7', '--param', 'who=all', '--ttl', 'never', '--wait')
  const name = runIn(said)
  expect(said).toMatchObject({
    code: 3,
    out: expect.stringContaining(': send: AttemptsExhausted, the mailbox is full. Next: kubectl describe tex '),
  })
  expect(consumer.runs.map(({ data }) => data)).toEqual([{ days: 7, who: 'all' }])
  expect((await client.get(taskExecutions, namespace, name)).spec).not.toHaveProperty('ttlSecondsAfterFinished')
})

it('cancels a run, and names the jobs that continue', async () => {
  const gate = Promise.withResolvers<void>()
  const consumer = home.consume('held', () => gate.promise)
  const node = (name: string, queue: string) => ({ name, task: { type: name, queue } })
  await createDependency(client, namespace, 'two', { nodes: [node('works', 'held'), node('waits', 'nobody')] })
  const begun = await taskmill('run', 'tdep/two')
  const name = runIn(begun)
  expect(begun).toEqual({
    code: 0,
    err: '',
    out:
      `tex/${name} -n default: a run of tdep/two, kept for 1d after its end. ` +
      `Follow: kubectl get tex ${name} -n default --watch. Cancel: kubectl taskmill cancel tex/${name} -n default\n`,
  })
  await consumer.ran(1)
  await execution(name, ({ status }) => status?.nodes?.every(({ state }) => state === 'Running') === true)
  const cancelled = await taskmill('cancel', `tex/${name}`, '--wait')
  expect(cancelled.code).toBe(0)
  expect(cancelled.err).toContain(`tex/${name} -n default: cancelled.\n`)
  expect(cancelled.out).toMatch(/: Cancelled after \d+[smh]\S*\. works: the run was cancelled; its job still runs in queue held, /u)
  expect(await home.commands.llen('bull:nobody:wait')).toBe(0)
  const other = await taskmill('run', 'tdep/two')
  await execution(runIn(other), ({ status }) => status?.nodes?.every(({ state }) => state === 'Running') === true)
  expect((await taskmill('cancel', `tex/${runIn(other)}`)).out).toMatch(
    /: cancelled\. Started: works.*[,;] waits.*\. A job that a worker runs continues there, but its end no longer counts; all others are removed\. Follow: /u,
  )
  gate.resolve()
  const again = await taskmill('cancel', `tex/${name}`)
  expect(again).toEqual({ code: 0, err: '', out: `tex/${name} -n default has already ended: Cancelled. Nothing to cancel\n` })
})

it('an interrupted wait does not touch the run, and says how far it is', async () => {
  await createDependency(client, namespace, 'long', { nodes: [{ name: 'idle', task: { type: 'x', queue: 'idle' } }] })
  const waiting = spawn(tools.kubectl, ['taskmill', 'run', 'tdep/long', '--wait'], { env: environment() })
  let [out, err] = ['', '']
  waiting.stdout.on('data', (data) => (out += plain(String(data))))
  waiting.stderr.on('data', (data) => (err += plain(String(data))))
  const closed = once(waiting, 'close')
  await expect.poll(() => err, { timeout: 30_000 }).toContain('Running 0/1, waiting for idle queued in idle (no pool)')
  waiting.kill('SIGINT')
  expect((await closed)[0]).toBe(130)
  const name = runIn({ out: '', err })
  expect(out).toBe(
    `tex/${name} -n default continues: Running 0/1, waiting for idle queued in idle (no pool). Cancel: kubectl taskmill cancel tex/${name} -n default\n`,
  )
  expect((await client.get(taskExecutions, namespace, name)).status?.state).toBe('Running')
  expect(await home.commands.llen('bull:idle:wait')).toBe(1)
})

it('acknowledges an alert beside its manifest, silences it instead, and ends that', async () => {
  await createPool(client, namespace, 'watched', { queues: [{ name: 'watched' }] })
  const manifest = { target: { kind: 'WorkerPool', name: 'watched' }, queueBacklog: { above: 10 } } as const
  const applied = (severity: 'Warning' | 'Critical') =>
    client.apply(
      taskAlerts,
      { metadata: { namespace, name: 'backlog' }, spec: { ...manifest, severity } },
      { fieldManager: 'argocd-controller', force: true, fieldValidation: 'Strict' },
    )
  await applied('Warning')
  const alert = (holds: (object: TaskAlert) => boolean) =>
    observe(client, taskAlerts, { namespace, name: 'backlog' }, (object) => object !== undefined && holds(object))
  await alert(({ status }) => status?.state === 'Inactive')
  const acked = await taskmill('ack', 'tal/backlog', '--for', '1h', '--because', 'looking')
  const { until = '', by = '', ...rest } = (await applied('Critical')).spec.override ?? {}
  expect(rest).toEqual({ acknowledge: true, reason: 'looking' })
  expect(acked).toEqual({
    code: 0,
    err: '',
    out:
      `tal/backlog -n default: acknowledged until ${until} (1h) by ${by}: "looking". It is not firing. ` +
      'To end it earlier: kubectl taskmill unack tal/backlog -n default\n',
  })
  const shown = await alert(({ spec, status }) => spec.severity === 'Critical' && status?.ackedBy !== undefined)
  expect(findCondition(shown?.status?.conditions, 'Overridden')?.message).toBe(`acknowledged until ${until} by ${by}: "looking"`)

  expect((await taskmill('silence', 'taskalert/backlog', '--for', '30m')).out).toContain(
    `It replaces the override until ${until} by ${by}: "looking".`,
  )
  expect((await client.get(taskAlerts, namespace, 'backlog')).spec.override).toMatchObject({ silence: true })
  expect((await client.get(taskAlerts, namespace, 'backlog')).spec.override).not.toHaveProperty('acknowledge')
  expect((await taskmill('unack', 'tal/backlog')).out).toMatch(/^tal\/backlog -n default: removed the override until /u)
  const after = await alert(({ status }) => status?.ackedBy === undefined)
  expect(after?.spec).not.toHaveProperty('override')
  expect((await taskmill('unack', 'tal/backlog')).out).toBe('tal/backlog -n default is neither acknowledged nor silenced: nothing to end\n')
})

it('names the missing right to a user who lacks it', async () => {
  const config = parse(readFileSync(join(folder, 'kubeconfig'), 'utf8')) as { users: { user: object }[] }
  const token = await home.cluster.serviceAccountToken(namespace, 'default')
  for (const each of config.users) each.user = { token }
  const file = join(folder, 'nobody.kubeconfig')
  writeFileSync(file, stringify(config))
  const refused = await say(environment(file), ['run', 'tsch/nightly'])
  expect(refused).toMatchObject({ code: 1, out: '' })
  expect(refused.err).toMatch(
    /^kubectl taskmill run: taskschedules\.taskmill\.dev "nightly" is forbidden: User "system:serviceaccount:default:default" cannot get .* Next: get the role "edit"/u,
  )
})

it('says what is missing, and loads nothing of the operator', async () => {
  const none = await taskmill('suspend', 'wp/none', '--for', '1h')
  expect(none).toEqual({
    code: 1,
    out: '',
    err: 'kubectl taskmill suspend: there is no WorkerPool "none" in namespace "default". Next: kubectl get workerpools -n default\n',
  })
  await createPool(client, namespace, 'reports', { queues: [{ name: 'reports' }] })
  expect((await taskmill('suspend', 'wp/report', '--for', '1h')).err).toContain(
    'there is no WorkerPool "report" in namespace "default"; did you mean "reports"? Next: kubectl get workerpools -n default',
  )
  const context = await taskmill('suspend', 'wp/email', '--for', '1h', '--context', 'nowhere')
  expect([context.code, context.err]).toEqual([1, expect.stringContaining('has no context "nowhere"')])
  await createSchedule(client, namespace, 'of-graph', { everySeconds: 3600, suspend: true, dependencyRef: { name: 'mail' } })
  expect((await taskmill('run', 'tsch/of-graph', '--payload', '{}')).err).toBe(
    'kubectl taskmill run: tsch/of-graph has no task, so there is no payload to change. Next: run tdep/mail with --param\n',
  )
  expect((await taskmill('scale', 'wp/email')).code).toBe(2)
  const loaded = readFileSync(join(folder, 'loaded'), 'utf8').split('\n')
  expect(loaded.some((url) => url.endsWith('/src/cli/commands.ts'))).toBe(true)
  const heavy = /\/(bullmq|ioredis|prom-client|croner|pino)\/|\/src\/(controllers|services|broker|runtime|worker)\//u
  expect(loaded.filter((url) => heavy.test(url))).toEqual([])
})
