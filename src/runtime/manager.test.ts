import { expect, test } from 'vitest'
import { fakeClock } from '../clock/index.ts'
import { taskmillError } from '../errors/index.ts'
import { silentLogger } from '../observability/index.ts'
import { createManager, type Elector, type ManagerDeps, type Startable } from './index.ts'

type Behaviour = { readonly syncAfterMs?: number; readonly endAfterMs?: number; readonly failAfterMs?: number }

const setup = (
  parts: { readonly warm: Record<string, Behaviour>; readonly leading: Record<string, Behaviour> },
  more: Partial<ManagerDeps> = {},
) => {
  const clock = fakeClock(0)
  const log: string[] = []
  const stop = new AbortController()
  const election = { win: () => {}, lose: () => {} }

  /** A part that tells when it starts and is stopped, and ends some time after that. */
  const part = ([name, { syncAfterMs = 0, endAfterMs = 0, failAfterMs }]: [string, Behaviour]): Startable => {
    const synced = Promise.withResolvers<void>()
    const stopped = Promise.withResolvers<void>()
    return {
      name,
      synced: synced.promise,
      stopped: stopped.promise,
      start(signal) {
        log.push(`+${name}`)
        clock.setTimeout(synced.resolve, syncAfterMs)
        if (failAfterMs !== undefined) clock.setTimeout(() => stopped.reject(new Error(`${name} broke`)), failAfterMs)
        signal.addEventListener('abort', () => {
          log.push(`-${name}`)
          clock.setTimeout(() => (log.push(`${name} ended`), stopped.resolve()), endAfterMs)
        })
      },
    }
  }

  /** The contract of the real one, won and lost by hand. */
  const elector: Pick<Elector, 'run'> = {
    async run(signal, lead) {
      if (signal.aborted) return
      const leading = new AbortController()
      const lost = new Promise<never>((_, reject) => {
        election.lose = () => {
          const error = taskmillError('TM_LEASE_LOST', 'lost')
          leading.abort(error)
          reject(error)
        }
      })
      lost.catch(() => {})
      signal.addEventListener('abort', () => leading.abort(signal.reason))
      const won = await new Promise<boolean>((resolve) => {
        election.win = () => resolve(true)
        signal.addEventListener('abort', () => resolve(false))
      })
      if (!won) return
      log.push('lease taken')
      await Promise.race([lead(leading.signal), lost])
      log.push('lease released')
    },
  }

  const manager = createManager({
    elector,
    clock,
    log: silentLogger,
    warm: Object.entries(parts.warm).map(part),
    leading: () => Object.entries(parts.leading).map(part),
    ...more,
  })
  const run = manager.run(stop.signal)
  const result = run.then(
    () => 'resolved',
    (error: { code?: string; message: string }) => error.code ?? error.message,
  )
  return { clock, log, stop, election, manager, result }
}

test('starts warm, waits for the sync and the lease, leads; stops in reverse and gives the lease back after all that acts', async () => {
  const { clock, log, stop, election, manager, result } = setup({
    warm: { pods: {}, pools: { syncAfterMs: 5_000 } },
    leading: { brokers: { endAfterMs: 300 }, scaler: { endAfterMs: 700 } },
  })
  await clock.advance(4_999)
  expect([log, manager.phase()]).toEqual([['+pods', '+pools'], 'starting'])
  await clock.advance(1)
  expect(manager.phase()).toBe('following')
  election.win()
  await clock.advance(0)
  expect([log.slice(2), manager.phase()]).toEqual([['lease taken', '+brokers', '+scaler'], 'leading'])
  stop.abort()
  await clock.advance(2_000)
  expect(log.slice(5)).toEqual([
    '-scaler',
    'scaler ended',
    '-brokers',
    'brokers ended',
    'lease released',
    '-pools',
    'pools ended',
    '-pods',
    'pods ended',
  ])
  expect([await result, manager.phase(), clock.pending()]).toEqual(['resolved', 'stopping', []])
})

test('a follower stops without ever leading', async () => {
  const { clock, log, stop, result } = setup({ warm: { pods: {} }, leading: { scaler: {} } })
  await clock.advance(60_000)
  stop.abort()
  await clock.advance(0)
  expect([log, await result]).toEqual([['+pods', '-pods', 'pods ended'], 'resolved'])
})

test('a stop before everything is synced is a stop', async () => {
  const { clock, log, stop, result } = setup({ warm: { pods: { syncAfterMs: 60_000 } }, leading: { scaler: {} } })
  await clock.advance(1_000)
  stop.abort()
  await clock.advance(0)
  expect([log, await result]).toEqual([['+pods', '-pods', 'pods ended'], 'resolved'])
})

test('a cache that cannot be listed in time ends the process and is named', async () => {
  const { clock, log, result } = setup({ warm: { pods: {}, pools: { syncAfterMs: 9e9 } }, leading: {} })
  const failure = result.then((code) => log.push(code))
  await clock.advance(120_000)
  await failure
  expect(log).toEqual(['+pods', '+pools', '-pools', '-pods', expect.any(String), expect.any(String), expect.any(String)])
  expect(log).toContain('TM_CACHE_SYNC_TIMEOUT')
})

test('a lost lease ends the term at once; when all that acted has ended, the process follows, and leads again with new parts', async () => {
  const { clock, log, stop, election, manager, result } = setup({
    warm: { pods: {} },
    leading: { brokers: { endAfterMs: 9_000 }, scaler: { endAfterMs: 4_000 } },
  })
  await clock.advance(0)
  election.win()
  await clock.advance(1_000)
  const afterFirst = log.length
  election.lose()
  expect(log.slice(afterFirst)).toEqual(['-scaler', '-brokers'])
  await clock.advance(8_999)
  election.win()
  expect(log.slice(afterFirst)).toEqual(['-scaler', '-brokers', 'scaler ended'])
  await clock.advance(1)
  expect(manager.phase()).toBe('following')
  const afterLoss = log.length
  election.win()
  await clock.advance(0)
  expect([log.slice(afterLoss), manager.phase()]).toEqual([['lease taken', '+brokers', '+scaler'], 'leading'])
  // The grace of the first term is not what is left for the stop.
  await clock.advance(60_000)
  const afterSecond = log.length
  stop.abort()
  await clock.advance(20_000)
  expect(log.slice(afterSecond)).toEqual(['-scaler', 'scaler ended', '-brokers', 'brokers ended', 'lease released', '-pods', 'pods ended'])
  expect([await result, clock.pending()]).toEqual(['resolved', []])
})

test('a part that does not end within the grace after a lost lease ends the process', async () => {
  const { clock, log, election, result } = setup(
    { warm: { pods: {} }, leading: { brokers: {}, scaler: { endAfterMs: 50_000 } } },
    { gracefulTimeoutMs: 10_000 },
  )
  await clock.advance(0)
  election.win()
  await clock.advance(0)
  election.lose()
  await clock.advance(9_999)
  expect(log).not.toContain('-pods')
  await clock.advance(1)
  expect(await result).toBe('TM_SHUTDOWN_TIMEOUT')
  expect(log).toContain('-pods')
})

test('an error with which a part ends after the lease was lost is not one of the process', async () => {
  const { clock, stop, election, manager, result } = setup({ warm: {}, leading: { scaler: { endAfterMs: 9_000, failAfterMs: 2_000 } } })
  await clock.advance(0)
  election.win()
  await clock.advance(1_000)
  election.lose()
  await clock.advance(2_000)
  expect(manager.phase()).toBe('following')
  stop.abort()
  await clock.advance(0)
  expect(await result).toBe('resolved')
})

test('a stop while a lost term winds down is a stop', async () => {
  const { clock, log, stop, election, result } = setup({ warm: { pods: {} }, leading: { scaler: { endAfterMs: 5_000 } } })
  await clock.advance(0)
  election.win()
  await clock.advance(0)
  election.lose()
  stop.abort()
  await clock.advance(5_000)
  expect([log.slice(3), await result, clock.pending()]).toEqual([['-scaler', 'scaler ended', '-pods', 'pods ended'], 'resolved', []])
})

test('a part that fails stops the others in order and is what the process fails with', async () => {
  const { clock, log, election, result } = setup({
    warm: { pods: {} },
    leading: { brokers: { endAfterMs: 100 }, scaler: { failAfterMs: 5_000 } },
  })
  await clock.advance(0)
  election.win()
  await clock.advance(6_000)
  expect(log.slice(4)).toEqual(['-scaler', '-brokers', 'scaler ended', 'brokers ended', 'lease released', '-pods', 'pods ended'])
  expect(await result).toBe('scaler broke')
})

test('a part that does not end within the grace is named, everything else is aborted, and the lease is not released', async () => {
  const { clock, log, stop, election, result } = setup(
    { warm: { pods: {} }, leading: { brokers: { endAfterMs: 50_000 }, scaler: { endAfterMs: 50_000 } } },
    { gracefulTimeoutMs: 10_000 },
  )
  await clock.advance(0)
  election.win()
  await clock.advance(0)
  stop.abort()
  await clock.advance(9_999)
  expect(log.slice(4)).toEqual(['-scaler'])
  await clock.advance(1)
  expect(log.slice(4)).toEqual(['-scaler', '-brokers', '-pods', 'pods ended'])
  expect(await result).toBe('TM_SHUTDOWN_TIMEOUT')
})

test('a signal that has aborted before starts nothing that leads', async () => {
  const clock = fakeClock()
  const manager = createManager({
    elector: { run: async () => Promise.reject(new Error('asked for the lease')) },
    warm: [],
    leading: () => [],
    clock,
    log: silentLogger,
  })
  await manager.run(AbortSignal.abort())
  expect(manager.phase()).toBe('stopping')
})
