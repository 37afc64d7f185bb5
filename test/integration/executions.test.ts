/** Runs from `kubectl apply` to their outcome in plain BullMQ workers, and what people read about them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { configMaps, taskBrokers, taskExecutions, type TaskExecution } from '../../src/api/index.ts'
import { parseJson } from '../../src/json/index.ts'
import { createSchedule } from '../support/manifests.ts'
import { conditionOf, ended, executionHome, type ExecutionHome, nodesOf } from './execution-home.ts'
import { eraseJobs } from './schedule-home.ts'

let home: ExecutionHome

beforeAll(async () => {
  home = await executionHome('executions')
})

afterAll(() => home?.stop())

const logOf = (name: string): Promise<string[]> => home.commands.lrange(`bull:.taskmill:run:default/${home.namespace}/run/${name}`, 0, -1)
const markerOf = (name: string): Promise<string | null> =>
  home.commands.hget('bull:.taskmill:owners:default', `default/${home.namespace}/run/${name}`)
const task = (queue: string, more: object = {}) => ({ type: 'work', queue, ...more })
const node = (name: string, needs: readonly object[] = [], more: object = {}) => ({
  name,
  ...(needs.length === 0 ? {} : { dependsOn: needs }),
  task: task('nodes', { payload: { node: name } }),
  ...more,
})

describe('a run of a task', () => {
  it('succeeds with its result, and can be waited for', async () => {
    const consumer = home.consume('one', async () => ({ items: 3 }))
    await home.execute('one', { task: task('one', { payload: { at: '$(slot)' } }), slotTime: '2026-11-29T01:00:00Z' })
    await home.kubectl('wait', '--for=condition=Succeeded', 'tex/one', '--timeout=60s')
    const run = await home.execution('one', ended)
    expect(run.status).toMatchObject({
      state: 'Succeeded',
      source: 'task/work',
      progress: '1/1',
      attempts: 1,
      result: '{"items":3}',
      observedGeneration: 1,
      nodes: [{ name: 'task', state: 'Succeeded', attempt: 1, reason: 'Succeeded' }],
    })
    expect(run.status).not.toHaveProperty('waitingFor')
    expect(conditionOf(run, 'Succeeded')).toEqual({ status: 'True', reason: 'Succeeded', message: '1 of 1 node succeeded' })
    for (const absent of ['Failed', 'Stalled', 'Reconciling']) expect(conditionOf(run, absent)).toBeUndefined()
    expect(consumer.runs.map(({ data }) => data)).toEqual([{ at: '2026-11-29T01:00:00Z' }])
    await expect(home.kubectl('patch', 'tex', 'one', '--type=merge', '-p', '{"spec":{"timeoutSeconds":9}}')).rejects.toThrow(
      'a run that has started cannot be changed',
    )
  })

  it('fails with the message of its last attempt, and is Failed for kubectl wait', async () => {
    home.consume('bad', () => Promise.reject(new Error('the mailbox is full')))
    await home.execute('bad', { task: task('bad', { retry: { maxRetries: 1, initialDelaySeconds: 0 } }) })
    const run = await home.execution('bad', (each) => conditionOf(each, 'Stalled')?.reason === 'Failed')
    const message = 'task: AttemptsExhausted, the mailbox is full'
    expect(run.status).toMatchObject({ state: 'Failed', progress: '1/1, 1 failed', attempts: 2, failureMessage: message })
    expect(conditionOf(run, 'Succeeded')).toEqual({ status: 'False', reason: 'Failed', message })
    for (const type of ['Failed', 'Stalled']) expect(conditionOf(run, type)).toEqual({ status: 'True', reason: 'Failed', message })
    const note = 'task: AttemptsExhausted, 2/2 attempts: the mailbox is full'
    await expect
      .poll(() => home.eventsOf('bad', 'NodeFailed').then((found) => found.map((event) => event.note)), { timeout: 20_000 })
      .toEqual([expect.stringContaining(note)])
  })

  it('fails when its job is gone without a trace, and its graph goes on', async () => {
    await home.graph('robbed', {
      nodes: [{ name: 'first', task: task('robbed') }],
      finally: [{ name: 'last', task: task('after-robbed') }],
    })
    const consumer = home.consume('after-robbed', () => Promise.resolve())
    await home.execute('robbed', { dependencyRef: { name: 'robbed' } })
    await expect.poll(() => eraseJobs(home, `tm/default/${home.namespace}/run/robbed/`), { timeout: 20_000 }).toBeGreaterThanOrEqual(2)
    const { status } = await home.execution('robbed', (each) => each.status?.state === 'Failed')
    expect(status?.nodes?.find(({ name }) => name === 'first')).toMatchObject({ state: 'Failed', reason: 'JobRemoved' })
    expect(status?.failureMessage).toContain('its job is gone, and its end was never recorded')
    await consumer.ran(1)
  })

  it('is over when its time is, and takes back a job that no worker has', async () => {
    await home.execute('slow', { task: task('nobody'), timeoutSeconds: 1 })
    const run = await home.execution('slow', (each) => conditionOf(each, 'Stalled')?.reason === 'TimedOut')
    expect(run.status).toMatchObject({ state: 'TimedOut', nodes: [{ name: 'task', state: 'TimedOut', reason: 'RunTimedOut' }] })
    for (const type of ['Failed', 'Stalled']) expect(conditionOf(run, type)).toMatchObject({ status: 'True', reason: 'TimedOut' })
    expect(await home.commands.llen('bull:nobody:wait')).toBe(0)
  })

  it('fails at once when an expression cannot be compiled', async () => {
    await home.execute('typo', { task: task('typo', { payload: { a: '$(slott)' } }) })
    const run = await home.execution('typo', ended)
    expect(run.status).toMatchObject({ state: 'Failed' })
    expect(conditionOf(run, 'Stalled')?.message).toMatch(/^spec\.task\.payload\.a: .*slott/u)
    expect(await home.commands.llen('bull:typo:wait')).toBe(0)
  })

  it('takes the template of a schedule, also while that is suspended, with another payload', async () => {
    const consumer = home.consume('of-schedule', async () => undefined)
    const payload = { keep: { days: 30, hours: 5 }, slot: '$(slot)' }
    await createSchedule(home.client, home.namespace, 'nightly', {
      schedules: ['0 1 1 1 *'],
      suspend: true,
      task: { type: 'backup', queue: 'of-schedule', payload },
    })
    await home.execute('now', {
      scheduleRef: { name: 'nightly' },
      payload: { keep: { days: 1 } },
      slotTime: '2026-11-29T01:00:00Z',
      ttlSecondsAfterFinished: 1,
    })
    await consumer.ran(1)
    expect(consumer.runs[0]?.data).toEqual({ keep: { days: 1, hours: 5 }, slot: '2026-11-29T01:00:00Z' })
    // Its time after the end is over soon, and nothing of it stays.
    await expect.poll(() => home.kubectl('get', 'tex', '-o', 'name'), { timeout: 20_000 }).not.toContain('/now')
    await expect.poll(() => logOf('now'), { timeout: 20_000 }).toEqual([])
    const schedule = await home.schedule('nightly', () => true)
    expect(schedule.status).not.toHaveProperty('lastScheduleTime')
  })
})

describe('a run that starts later', () => {
  const soon = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString()
  const far = '2090-01-01T00:00:00Z'
  const scheduled = (run: TaskExecution) => conditionOf(run, 'Succeeded')?.reason === 'Scheduled'

  it('waits for its time, whatever it runs, and says so', async () => {
    await createSchedule(home.client, home.namespace, 'eta', {
      schedules: ['0 1 1 1 *'],
      suspend: true,
      task: { type: 'x', queue: 'eta' },
    })
    await home.graph('eta', { nodes: [{ name: 'a', task: task('eta') }] })
    const container = { restartPolicy: 'Never', containers: [{ name: 'main', image: 'none' }] }
    await Promise.all([
      home.execute('eta-task', { task: task('eta'), startTime: far }),
      home.execute('eta-job', { job: { spec: { template: { spec: container } } }, startTime: far }),
      home.execute('eta-schedule', { scheduleRef: { name: 'eta' }, startTime: far }),
      home.execute('eta-graph', { dependencyRef: { name: 'eta' }, startTime: far }),
    ])
    for (const name of ['eta-task', 'eta-job', 'eta-schedule', 'eta-graph']) {
      const run = await home.execution(name, scheduled)
      expect(run.status).toMatchObject({ state: 'Pending', waitingFor: `its start at ${far}` })
      expect(run.status).not.toHaveProperty('startTime')
      expect(conditionOf(run, 'Succeeded')).toEqual({ status: 'Unknown', reason: 'Scheduled', message: `it starts at ${far}` })
      expect(await logOf(name)).toEqual([])
    }
    expect(await home.commands.llen('bull:eta:wait')).toBe(0)
    expect(await home.kubectl('get', 'jobs', '-o', 'name')).toBe('')
  })

  it('starts at its time, which may be edited until then, and never before', async () => {
    const consumer = home.consume('at-time', async () => undefined)
    const startTime = soon(4)
    await home.execute('at-time', { task: task('at-time', { payload: { at: '$(slot)' } }), startTime })
    await home.execute('eta-moved', { task: task('at-time', { payload: { at: 'eta-moved' } }), delaySeconds: 3600 })
    await home.execution('eta-moved', scheduled)
    const patch = '[{"op": "remove", "path": "/spec/delaySeconds"}]'
    await home.kubectl('patch', 'tex', 'eta-moved', '--type=json', '-p', patch)
    const [moved, run] = await Promise.all([home.execution('eta-moved', ended), home.execution('at-time', ended)])
    expect([moved.status?.state, run.status?.state]).toEqual(['Succeeded', 'Succeeded'])
    expect(consumer.runs.map(({ data }) => data)).toEqual([{ at: 'eta-moved' }, { at: `${startTime.slice(0, 19)}Z` }])
    // The operator and Redis have the clock of this machine.
    expect(consumer.runs[1]?.atMs).toBeGreaterThanOrEqual(Date.parse(startTime))
    await expect(home.kubectl('patch', 'tex', 'at-time', '--type=merge', '-p', `{"spec":{"startTime":"${far}"}}`)).rejects.toThrow(
      'a run that has started cannot be changed',
    )
  })

  it('starts at once if its time has passed', async () => {
    const consumer = home.consume('past', async () => undefined)
    await home.execute('past', { task: task('past'), startTime: '2020-01-01T00:00:00Z' })
    await consumer.ran(1)
  })

  it('ends as Cancelled, and starts nothing, if it is cancelled before its time', async () => {
    await home.graph('cancelled-early', {
      nodes: [{ name: 'a', task: task('eta-early') }],
      finally: [{ name: 'z', task: task('eta-early') }],
    })
    await home.execute('eta-early', { dependencyRef: { name: 'cancelled-early' }, startTime: far })
    await home.execution('eta-early', scheduled)
    await home.kubectl('patch', 'tex', 'eta-early', '--type=merge', '-p', '{"spec":{"desiredState":"Cancelled"}}')
    const run = await home.execution('eta-early', ended)
    expect([run.status?.state, nodesOf(run)]).toEqual(['Cancelled', ['a Omitted', 'z Omitted']])
    expect(await home.commands.llen('bull:eta-early:wait')).toBe(0)
  })

  it('fails at once if its template has a fault', async () => {
    await home.execute('eta-faulty', { task: task('eta', { payload: { a: '$(slott)' } }), startTime: far })
    expect((await home.execution('eta-faulty', ended)).status?.state).toBe('Failed')
  })

  it('starts once, also if the operator is killed around its time', async () => {
    const consumer = home.consume('killed', async () => undefined)
    const names = Array.from({ length: 20 }, (_, index) => `killed-${index}`)
    const startTime = soon(5)
    await Promise.all(names.map((name) => home.execute(name, { task: task('killed', { payload: { name } }), startTime })))
    await Promise.all(names.map((name) => home.execution(name, scheduled)))
    // In the midst of the starts: some have begun, and some have not.
    await consumer.ran(1)
    await home.operator.kill()
    home.startOperator()
    await Promise.all(names.map((name) => home.execution(name, ended)))
    expect(consumer.runs.map(({ data }) => (data as { name: string }).name).toSorted()).toEqual(names.toSorted())
  })
})

describe('a backfill', () => {
  const range = { from: '2026-01-01T00:00:00Z', to: '2026-01-05T23:59:59Z' }
  const create = (name: string) =>
    createSchedule(home.client, home.namespace, name, {
      schedules: ['0 1 * * *'],
      suspend: true,
      task: { type: 'x', queue: name, payload: { slot: '$(slot)' } },
    })
  const slotsRun = (runs: readonly { readonly data: unknown }[]) => runs.map(({ data }) => (data as { slot: string }).slot.slice(8, 10))

  it('runs each slot of its range once, in order, past a failure, and touches nothing of the schedule', async () => {
    const consumer = home.consume('refill', ({ data }) =>
      (data as { slot: string }).slot.includes('-03T') ? Promise.reject(new Error('bad day')) : Promise.resolve(),
    )
    await create('refill')
    await home.execute('refill', { scheduleRef: { name: 'refill' }, range: { ...range, order: 'NewestFirst' } })
    const run = await home.execution('refill', ended)
    expect(slotsRun(consumer.runs)).toEqual(['05', '04', '03', '02', '01'])
    expect(run.status).toMatchObject({ state: 'Failed', progress: '5/5, 1 failed', source: 'tsch/refill', schedule: 'refill' })
    expect(run.status?.failureMessage).toBe('slot-20260103t010000z: AttemptsExhausted, bad day')
    const schedule = await home.schedule('refill', () => true)
    for (const field of ['lastScheduleTime', 'recentRuns', 'active']) expect(schedule.status).not.toHaveProperty(field)
  })

  it('is refused with its number of slots when they are more than its bound', async () => {
    await create('bounded')
    await home.execute('bounded', { scheduleRef: { name: 'bounded' }, range: { ...range, maxRuns: 4 } })
    const run = await home.execution('bounded', ended)
    expect(run.status?.failureMessage).toContain('spec.range: it has 5 slots, but at most 4 (maxRuns) may run')
    expect(await home.commands.llen('bull:bounded:wait')).toBe(0)
  })

  it('waits for the ConfigMaps of its calendars, and leaves out the slots that they exclude', async () => {
    const consumer = home.consume('closed', () => Promise.resolve())
    await createSchedule(home.client, home.namespace, 'closed', {
      schedules: ['0 1 * * *'],
      suspend: true,
      calendars: { exclude: [{ name: 'holidays', configMapRef: { name: 'holidays', key: 'dates' } }] },
      task: { type: 'x', queue: 'closed', payload: { slot: '$(slot)' } },
    })
    await home.execute('closed', { scheduleRef: { name: 'closed' }, range })
    const waiting = await home.execution('closed', (run) => conditionOf(run, 'Succeeded')?.reason === 'SourceNotFound')
    expect(conditionOf(waiting, 'Succeeded')?.message).toContain('ConfigMap "holidays" does not exist in this namespace')
    const holidays = { metadata: { namespace: home.namespace, name: 'holidays' }, data: { dates: '2026-01-02/2026-01-04' } }
    await home.client.create(configMaps, holidays, { fieldManager: 'test' })
    expect((await home.execution('closed', ended)).status).toMatchObject({ state: 'Succeeded', progress: '2/2' })
    expect(slotsRun(consumer.runs)).toEqual(['01', '05'])
  })

  it('of a schedule of graphs runs the graph once for each slot, in order, past a failure and through a killed operator', async () => {
    const gate = Promise.withResolvers<void>()
    const consumer = home.consume('graphs', async ({ data }) => {
      const { slot } = data as { slot: string }
      if (slot.includes('-02T')) await gate.promise
      if (slot.includes('-03T')) throw new Error('bad day')
    })
    await home.graph('graphs', {
      nodes: [{ name: 'load', task: { type: 'x', queue: 'graphs', payload: { slot: '$(slot)', day: '$(parameters.day)' } } }],
    })
    await createSchedule(home.client, home.namespace, 'graphs', {
      schedules: ['0 1 * * *'],
      suspend: true,
      dependencyRef: { name: 'graphs' },
      parameters: { day: '$(slot.substring(0, 10))' },
    })
    await home.execute('graphs', { scheduleRef: { name: 'graphs' }, range })
    await consumer.ran(1)
    await home.execution('graphs', ({ status }) => status?.progress === '1/5')
    await home.operator.kill()
    home.startOperator()
    gate.resolve()
    const run = await home.execution('graphs', ended)
    expect(run.status).toMatchObject({ state: 'Failed', progress: '5/5, 1 failed', source: 'tsch/graphs' })
    expect(run.status).not.toHaveProperty('dependency')
    expect(run.status?.failureMessage).toMatch(
      /^slot-20260103t010000z: Failed, tex\/graphs-slot-2026\S+: load: AttemptsExhausted, bad day$/u,
    )
    expect(consumer.runs.map(({ data }) => data)).toEqual(
      ['01', '02', '03', '04', '05'].map((day) => ({ slot: `2026-01-${day}T01:00:00Z`, day: `2026-01-${day}` })),
    )
    const children = (await home.client.list(taskExecutions, { namespace: home.namespace })).items.filter(
      ({ metadata }) => metadata.labels?.['taskmill.dev/execution'] === 'graphs',
    )
    expect(children.map(({ metadata }) => metadata.name).toSorted()).toEqual(
      (run.status?.nodes ?? []).map((each) => each.execution ?? '').toSorted(),
    )
    expect(children.every(({ metadata }) => metadata.ownerReferences?.[0]?.uid === run.metadata.uid)).toBe(true)
    // The schedule knows nothing of them; the graph counts each run once.
    expect((await home.schedule('graphs', () => true)).status).not.toHaveProperty('lastScheduleTime')
    const graph = await home.dependency('graphs', ({ status }) => status?.activeRuns === 0 && status.lastResult !== undefined)
    expect(children.map(({ metadata }) => metadata.name)).toContain(graph.status?.lastRunName)
  })

  it('that is cancelled takes the graphs that run with it', async () => {
    const gate = Promise.withResolvers<void>()
    const consumer = home.consume('stopped', () => gate.promise)
    await home.graph('stopped', {
      nodes: [node('a', [], { task: task('stopped') }), node('b', [{ name: 'a' }], { task: task('stopped') })],
    })
    await createSchedule(home.client, home.namespace, 'stopped', {
      schedules: ['0 1 * * *'],
      suspend: true,
      dependencyRef: { name: 'stopped' },
    })
    await home.execute('stopped', { scheduleRef: { name: 'stopped' }, range: { ...range, parallelism: 2 } })
    await consumer.ran(2)
    await home.execution('stopped', ({ status }) => status?.nodes?.filter(({ state }) => state === 'Running').length === 2)
    await home.kubectl('patch', 'tex', 'stopped', '--type=merge', '-p', '{"spec":{"desiredState":"Cancelled"}}')
    const run = await home.execution('stopped', ended)
    expect(run.status?.state).toBe('Cancelled')
    for (const { execution = '' } of run.status?.nodes?.slice(0, 2) ?? [])
      expect((await home.execution(execution, ended)).status?.state).toBe('Cancelled')
    gate.resolve()
    expect(consumer.runs).toHaveLength(2)
  })

  it('pauses and goes on, and each slot still runs once when the operator is killed meanwhile', async () => {
    const gates = Array.from({ length: 5 }, () => Promise.withResolvers<void>())
    let begun = 0
    const consumer = home.consume('paused', () => gates[begun++]?.promise ?? Promise.resolve())
    await create('paused')
    await home.execute('paused', { scheduleRef: { name: 'paused' }, range: { ...range, parallelism: 2 } })
    await consumer.ran(2)
    const desire = (state: string) => home.kubectl('patch', 'tex', 'paused', '--type=merge', '-p', `{"spec":{"desiredState":"${state}"}}`)
    await desire('Paused')
    await home.execution('paused', (run) => conditionOf(run, 'Succeeded')?.reason === 'Paused')
    for (const gate of gates) gate.resolve()
    const paused = await home.execution('paused', ({ status }) => status?.progress === '2/5')
    expect(conditionOf(paused, 'Succeeded')?.message).toContain('nothing new starts. Next: set spec.desiredState to Running')
    await home.operator.kill()
    home.startOperator()
    await desire('Running')
    expect((await home.execution('paused', ended)).status).toMatchObject({ state: 'Succeeded', progress: '5/5' })
    expect(slotsRun(consumer.runs).toSorted()).toEqual(['01', '02', '03', '04', '05'])
  })
})

describe('numbers with more digits than JavaScript keeps', () => {
  const long = '1175930294816452671'
  const raw = parseJson(long)

  it('are refused in what people write, with the field', async () => {
    await home.execute('long-payload', { task: task('long', { payload: { user: { id: raw } } }) })
    const run = await home.execution('long-payload', ended)
    expect(run.status).toMatchObject({ state: 'Failed' })
    expect(conditionOf(run, 'Stalled')?.message).toMatch(
      /^spec\.task\.payload\.user\.id: 1175930294816452671 would arrive as 1175930294816452600, .*write it as text, in quotes: "1175930294816452671"$/u,
    )
    await home.graph('long-graph', { parameters: { id: raw }, nodes: [node('a')] })
    const graph = await home.dependency('long-graph', (each) => conditionOf(each, 'Stalled')?.reason === 'InvalidNumber')
    expect(conditionOf(graph, 'Stalled')?.message).toMatch(/^spec\.parameters\.id: /u)
    expect(await home.commands.llen('bull:long:wait')).toBe(0)
  })

  it('are exact in the result of a worker, and reach the next one as text', async () => {
    // As a worker in a language with long integers stores it.
    home.consume('ids', async () => ({ id: raw, items: 1 }))
    const next = home.consume('next', async () => undefined)
    await home.execute('long-result', { task: task('ids') })
    expect((await home.execution('long-result', ended)).status?.result).toBe(`{"id":${long},"items":1}`)

    await home.graph('hand-on', {
      nodes: [
        { name: 'a', task: task('ids') },
        {
          name: 'text',
          dependsOn: [{ name: 'a' }],
          when: `nodes.a.result.id == ${long}`,
          task: task('next', { payload: { id: '$(string(nodes.a.result.id))', items: '$(nodes.a.result.items)' } }),
        },
        { name: 'number', dependsOn: [{ name: 'a' }], task: task('next', { payload: { id: '$(nodes.a.result.id)' } }) },
      ],
    })
    await home.execute('hand-on', { dependencyRef: { name: 'hand-on' } })
    const run = await home.execution('hand-on', ended)
    expect(nodesOf(run)).toEqual(['a Succeeded', 'text Succeeded', 'number Failed'])
    expect(run.status?.nodes?.[2]?.message).toContain(`the result ${long} is larger than the integers that JSON holds exactly`)
    expect(next.runs.map(({ data }) => data)).toEqual([{ id: long, items: 1 }])
  })
})

describe('the status of a run in progress', () => {
  it('is where its job is, and what is in its way', async () => {
    await home.commands.hset('bull:halted:meta', 'paused', 1)
    await home.execute('halted', { task: task('halted') })
    await home.execute('where', { task: task('where'), timeoutSeconds: 3_600 })
    const waits = (words: string) => home.execution('where', ({ status }) => status?.waitingFor === words)
    const alone = await waits('task queued in where (no pool)')
    const detail = 'queued in where; no WorkerPool of this namespace consumes it. Next: create one, unless other workers do'
    expect(alone.status).toMatchObject({
      nodes: [{ state: 'Running', message: detail }],
      nodeTable: ['NODE  STATE    ATTEMPT  TOOK  WORKER  REASON', `task  Running  -        -     -       ${detail}`],
    })
    expect(conditionOf(alone, 'Succeeded')?.message).toBe('0 of 1 node is final; waiting for task queued in where (no pool)')
    expect(await home.kubectl('describe', 'tex', 'where')).toMatch(
      /Node Table:\n +NODE +STATE +ATTEMPT +TOOK +WORKER +REASON\n +task +Running/u,
    )

    await home.execution('halted', ({ status }) => status?.waitingFor === 'task queued in halted (paused)')

    const gate = Promise.withResolvers<void>()
    const consumer = home.consume('where', () => gate.promise)
    await consumer.ran(1)
    await waits('task running')
    gate.resolve()
    const run = await home.execution('where', ended)
    expect(run.status?.nodeTable?.[1]).toMatch(/^task {2}Succeeded {2}1 +\d+[smh]\S* +- +-$/u)
    expect(run.status).not.toHaveProperty('waitingFor')
  })
})

describe('a run is stopped', () => {
  it('cancelling takes back what waits', async () => {
    await home.execute('cancelled', { task: task('idle') })
    await home.execution('cancelled', ({ status }) => status?.state === 'Running' && status.waitingFor !== undefined)
    await home.kubectl('patch', 'tex', 'cancelled', '--type=merge', '-p', '{"spec":{"desiredState":"Cancelled"}}')
    const run = await home.execution('cancelled', ended)
    expect(run.status).toMatchObject({ state: 'Cancelled', nodes: [{ state: 'Cancelled', reason: 'RunCancelled' }] })
    expect(conditionOf(run, 'Succeeded')).toMatchObject({ status: 'False', reason: 'Cancelled' })
    expect(conditionOf(run, 'Failed')).toBeUndefined()
    expect(await home.commands.llen('bull:idle:wait')).toBe(0)
  })

  it('deleting it cancels it, and leaves nothing in the broker', async () => {
    await home.execute('deleted', { task: task('idle-too') })
    await home.execution('deleted', ({ status }) => status?.state === 'Running')
    await expect.poll(() => home.commands.llen('bull:idle-too:wait'), { timeout: 20_000 }).toBe(1)
    await home.client.delete(taskExecutions, home.namespace, 'deleted')
    await expect.poll(() => home.commands.llen('bull:idle-too:wait'), { timeout: 20_000 }).toBe(0)
    await expect.poll(() => logOf('deleted'), { timeout: 20_000 }).toEqual([])
    expect(await markerOf('deleted')).toBeNull()
  })
})

describe('a run of a graph', () => {
  it('hands results on, skips what is not wanted, and runs finally last', async () => {
    const results: Record<string, unknown> = { calendar: 2, notion: 3, summary: { items: 5 } }
    const consumer = home.consume('nodes', async ({ data }) => results[(data as { node: string }).node])
    await home.graph('summary', {
      parameters: { days: 7, who: 'all' },
      nodes: [
        node('calendar'),
        node('notion'),
        node('summary', [{ name: 'calendar' }, { name: 'notion', condition: 'Completed' }], {
          task: task('nodes', {
            payload: { node: 'summary', sum: '$(nodes.calendar.result + nodes.notion.result)', p: '$(parameters)' },
          }),
        }),
        node('send', [{ name: 'summary' }], { when: 'nodes.summary.result.items > 9' }),
      ],
      finally: [node('notify', [], { task: task('nodes', { payload: { node: 'notify', outcome: '$(run.outcome)' } }) })],
    })
    await home.execute('first', { dependencyRef: { name: 'summary' }, parameters: { days: 1 } })
    const run = await home.execution('first', ended)
    expect(nodesOf(run)).toEqual(['calendar Succeeded', 'notion Succeeded', 'summary Succeeded', 'send Skipped', 'notify Succeeded'])
    expect(run.status).toMatchObject({ state: 'Succeeded', source: 'tdep/summary', progress: '5/5', attempts: 4 })
    const data = consumer.runs.map((each) => each.data)
    expect(
      data
        .slice(0, 2)
        .map((each) => (each as { node: string }).node)
        .toSorted(),
    ).toEqual(['calendar', 'notion'])
    expect(data.slice(2)).toEqual([
      { node: 'summary', sum: 5, p: { days: 1, who: 'all' } },
      { node: 'notify', outcome: 'Succeeded' },
    ])
    const graph = await home.dependency('summary', ({ status }) => status?.lastResult !== undefined && status.activeRuns === 0)
    expect(graph.status).toMatchObject({ nodes: 5, lastRunName: 'first', lastResult: 'Succeeded' })
    expect(conditionOf(graph, 'LastRunSucceeded')).toMatchObject({ status: 'True', message: expect.stringMatching(/^first: /u) })
  })

  it('of 200 nodes is written a few times, and not with each node', async () => {
    const layer = (depth: number) => Array.from({ length: 10 }, (_, index) => `n${depth}-${index}`)
    home.consume('many', async () => undefined, 20)
    await home.graph('wide', {
      nodes: Array.from({ length: 20 }, (_, depth) => depth).flatMap((depth) =>
        layer(depth).map((name) =>
          node(name, depth === 0 ? [] : layer(depth - 1).map((each) => ({ name: each })), { task: { type: 'x', queue: 'many' } }),
        ),
      ),
    })
    const created = await home.execute('wide', { dependencyRef: { name: 'wide' } })
    const { resourceVersion } = created.metadata
    const stop = new AbortController()
    const watch = home.client.watch(taskExecutions, {
      namespace: home.namespace,
      fieldSelector: 'metadata.name=wide',
      resourceVersion,
      timeoutSeconds: 300,
      signal: stop.signal,
    })
    let writes = 0
    let last: TaskExecution = created
    for await (const { type, object } of watch) {
      if (type !== 'MODIFIED') continue
      writes += 1
      last = object
      if (ended(object)) break
    }
    stop.abort()
    expect(last.status).toMatchObject({ state: 'Succeeded', progress: '200/200' })
    // That it is known, that it runs and that it has ended, and its table once a second meanwhile.
    expect(writes).toBeLessThanOrEqual(4 + (last.status?.durationSeconds ?? 0))
    expect(writes).toBeGreaterThan(1)
  })

  it('stops nodes that do not react to a failure, waits for a graph that comes later, and continues in another operator', async () => {
    await home.execute('early', { dependencyRef: { name: 'failing' } })
    const waiting = await home.execution('early', (run) => conditionOf(run, 'Succeeded')?.reason === 'SourceNotFound')
    expect(conditionOf(waiting, 'Succeeded')?.message).toBe(
      'TaskDependency "failing" does not exist in this namespace. Next: create it, or delete this TaskExecution',
    )
    const gate = Promise.withResolvers<void>()
    const consumer = home.consume('steps', async ({ name }) => {
      if (name === 'break') throw new Error('no such calendar')
      if (name === 'hold') await gate.promise
    })
    const step = (name: string, type: string, needs: readonly object[] = []) => node(name, needs, { task: { type, queue: 'steps' } })
    await home.graph('failing', {
      nodes: [
        step('hold', 'hold'),
        step('calendar', 'break', [{ name: 'hold' }]),
        step('summary', 'go', [{ name: 'calendar' }]),
        step('repair', 'go', [{ name: 'calendar', condition: 'Failed' }]),
      ],
    })
    await consumer.ran(1)
    await home.execution('early', ({ status }) => status?.progress === '0/4' && status.waitingFor?.startsWith('hold') === true)
    await home.operator.kill()
    home.startOperator()
    gate.resolve()
    const run = await home.execution('early', ended)
    expect(nodesOf(run)).toEqual(['hold Succeeded', 'calendar Failed', 'summary Omitted', 'repair Succeeded'])
    expect(run.status).toMatchObject({ state: 'Failed', failureMessage: 'calendar: AttemptsExhausted, no such calendar' })
    expect(consumer.runs.map(({ name }) => name)).toEqual(['hold', 'break', 'go'])
  })

  it('that was lost by the broker is not started again', async () => {
    await home.execute('lost', { task: task('idle-three') })
    await home.execution('lost', ({ status }) => status?.state === 'Running')
    await home.operator.kill()
    await home.commands.del(`bull:.taskmill:run:default/${home.namespace}/run/lost`)
    home.startOperator()
    const run = await home.execution('lost', ended)
    expect(run.status).toMatchObject({ state: 'Failed', failureMessage: expect.stringContaining('the broker lost the log of this run') })
    expect(await logOf('lost')).toEqual([])
  })
})

describe('an object that comes again', () => {
  const again = async (name: string, spec: object) => {
    await home.client.delete(taskExecutions, home.namespace, name)
    await home.execute(name, spec)
  }
  const restart = async (meanwhile: () => Promise<unknown>) => {
    await home.operator.kill()
    await meanwhile()
    home.startOperator()
  }

  it('without its status, as from a backup: its run continues, and a run that has ended is shown and runs no second time', async () => {
    const gate = Promise.withResolvers<void>()
    const consumer = home.consume('restored', async ({ data }) => {
      if ((data as { holds?: true }).holds) await gate.promise
    })
    const spec = (payload: object) => ({ task: task('restored', { payload }) })
    await home.execute('over', spec({}))
    await home.execute('under-way', spec({ holds: true }))
    await home.execution('over', ended)
    await consumer.ran(2)
    await restart(() => Promise.all([again('over', spec({})), again('under-way', spec({ holds: true }))]))
    const over = await home.execution('over', ended)
    expect(conditionOf(over, 'Succeeded')).toEqual({
      status: 'True',
      reason: 'Succeeded',
      message: '1 of 1 node succeeded; an object of the same name had started it',
    })
    expect(await home.execution('under-way', ({ status }) => status?.state === 'Running')).toBeDefined()
    gate.resolve()
    expect((await home.execution('under-way', ended)).status).toMatchObject({ state: 'Succeeded' })
    for (const name of ['over', 'under-way']) {
      await expect.poll(() => home.eventsOf(name, 'Continued').then((found) => found.length), { timeout: 20_000 }).toBe(1)
    }
    expect(consumer.runs).toHaveLength(2)
  })

  it('after the operator saw it go is another run, and of the former one nothing is left', async () => {
    const consumer = home.consume('renewed', async () => undefined)
    await home.execute('renewed', { task: task('renewed') })
    await home.execution('renewed', ended)
    await home.execute('taken-back', { task: task('idle-four') })
    await home.execution('taken-back', ({ status }) => status?.state === 'Running')
    await Promise.all([again('renewed', { task: task('renewed') }), again('taken-back', { task: task('renewed') })])
    const runs = await Promise.all([home.execution('renewed', ended), home.execution('taken-back', ended)])
    for (const run of runs) expect(conditionOf(run, 'Succeeded')).toMatchObject({ message: '1 of 1 node succeeded' })
    expect(consumer.runs).toHaveLength(3)
    expect(await home.commands.llen('bull:idle-four:wait')).toBe(0)
  })

  it('with another TaskBroker leaves nothing behind at the former one', async () => {
    await home.client.create(
      taskBrokers,
      {
        metadata: { namespace: home.namespace, name: 'other' },
        spec: { standalone: { address: home.redis.address }, keyPrefix: 'other' },
      } as never,
      { fieldManager: 'test' },
    )
    await home.execute('moved', { task: task('idle-five') })
    await home.execution('moved', ({ status }) => status?.state === 'Running')
    await again('moved', { task: task('idle-five'), brokerRef: { name: 'other' } })
    await expect.poll(() => home.commands.llen('other:idle-five:wait'), { timeout: 20_000 }).toBe(1)
    expect(await home.commands.llen('bull:idle-five:wait')).toBe(0)
    expect(await logOf('moved')).toEqual([])
  })
})

describe('a broker that was restored from an older state', () => {
  it('starts nothing again: the run has failed, and what came back is taken back', async () => {
    const gate = Promise.withResolvers<void>()
    const consumer = home.consume('older', async ({ name }) => (name === 'hold' ? gate.promise : undefined))
    const step = (name: string, type: string, needs: readonly object[] = []) => node(name, needs, { task: { type, queue: 'older' } })
    await home.graph('older', {
      nodes: [step('a', 'go'), step('b', 'hold', [{ name: 'a' }]), step('c', 'go', [{ name: 'b' }])],
      finally: [step('z', 'go')],
    })
    await home.execute('older', { dependencyRef: { name: 'older' } })
    await home.execution('older', ({ status }) => status?.progress === '1/4' && status.waitingFor === 'b')
    await consumer.ran(2)
    // The end of a, and the start of b.
    await home.commands.ltrim(`bull:.taskmill:run:default/${home.namespace}/run/older`, 0, -3)
    gate.resolve()
    const run = await home.execution('older', ended)
    expect(run.status).toMatchObject({ state: 'Failed', failureMessage: expect.stringContaining('or a part of it') })
    expect(run.status).not.toHaveProperty('waitingFor')
    await expect.poll(() => logOf('older'), { timeout: 20_000 }).toEqual([])
    await expect.poll(() => home.eventsOf('older', 'LedgerRegressed').then((found) => found.length), { timeout: 20_000 }).toBe(1)
    expect(consumer.runs.map(({ name }) => name)).toEqual(['go', 'hold'])
  })
})

describe('a graph with a fault says which, and its runs fail at once', () => {
  const ring = (length: number) => ({
    nodes: Array.from({ length }, (_, index) => node(`n${index}`, [{ name: `n${(index + 1) % length}` }])),
  })
  let faults = 0
  const spelledOut = (length: number) => Array.from({ length: length + 1 }, (_, index) => `n${index % length}`).join(' -> ')
  it.each([
    ...[1, 2, 17].map((length) => ['Cycle', ring(length), spelledOut(length)] as const),
    ['Cycle', { nodes: [node('a', [{ name: 'c' }]), node('b', [{ name: 'a' }]), node('c', [{ name: 'b' }])] }, 'a -> c -> b -> a'],
    ['UnknownNode', { nodes: [node('a', [{ name: 'x' }])] }, 'a depends on x, but there is no such node'],
    ['DuplicateNode', { nodes: [node('a')], finally: [node('a')] }, 'has the same name a'],
    ['FinallyDependency', { nodes: [node('a', [{ name: 'b' }])], finally: [node('b')] }, 'a depends on b, which runs after all nodes'],
    ['InvalidExpression', { nodes: [node('a', [], { when: 'nodes.b.result' })] }, 'there is no node b'],
    ['InvalidExpression', { nodes: [node('a', [], { when: '"yes"' })] }, 'it yields string'],
    ['InvalidExpression', { nodes: [node('a', [], { when: '1 + "x" == 2' })] }, 'no such overload'],
    ['InvalidExpression', { nodes: [node('a', [], { when: '1 +' })] }, 'spec.nodes[0].when'],
    [
      'InvalidExpression',
      { nodes: [node('a', [], { task: task('nodes', { payload: { days: '$(parameters.days + )' } }) })] },
      'spec.nodes[0].task.payload.days',
    ],
  ] as const)('%s: %#', async (reason, spec, words) => {
    const name = `at-fault-${(faults += 1)}`
    await home.graph(name, spec)
    const graph = await home.dependency(name, (each) => conditionOf(each, 'Stalled') !== undefined)
    expect(conditionOf(graph, 'Stalled')).toEqual({ status: 'True', reason, message: expect.stringContaining(words) })
    expect(conditionOf(graph, 'Ready')).toMatchObject({ status: 'False', reason })
    await expect.poll(() => home.eventsOf(name, 'GraphInvalid').then((found) => found.length), { timeout: 20_000 }).toBe(1)
    await home.execute(`of-${name}`, { dependencyRef: { name } })
    const run = await home.execution(`of-${name}`, ended)
    expect(run.status).toMatchObject({ state: 'Failed', failureMessage: expect.stringContaining(words) })
  })
})
