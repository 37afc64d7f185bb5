import { describe, expect, it } from 'vitest'
import { fakeClock } from '../../clock/index.ts'
import { taskmillError } from '../../errors/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { attemptTimeoutMs, type Attempt, createNotifier, mostAttempts, type Notification } from './notifier.ts'

type Answer = Attempt | 'hang'

function home(answerOf: (notification: Notification, attempt: number) => Answer) {
  const clock = fakeClock(Date.parse('2026-11-29T03:00:00Z'))
  const sent: {
    readonly channel: string
    readonly alert: string
    readonly sequence: number
    readonly atSecond: number
    readonly isAgain: boolean
  }[] = []
  const attempts: string[] = []
  const outcomes: string[] = []
  const notifier = createNotifier({
    async deliver(notification, { isAgain, signal }) {
      const { channel, alert, sequence } = notification
      const before = sent.filter((each) => each.alert === alert && each.sequence === sequence && each.channel === channel).length
      sent.push({ channel, alert, sequence, atSecond: clock.monotonicNow() / 1000, isAgain })
      const answer = answerOf(notification, before + 1)
      if (answer !== 'hang') return answer
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
    },
    clock,
    rng: () => 0.5,
    log: silentLogger,
    onAttempt: (channel, outcome) => attempts.push(`${channel} ${outcome}`),
  })
  notifier.onOutcome((alert) => outcomes.push(alert))
  const send = (channel: string, alert: string, sequence = 1) =>
    notifier.send({ channel, alert, sequence, id: `${alert}/${sequence}`, body: {} })
  const told = () => sent.map(({ channel, alert, sequence, atSecond }) => `${atSecond} ${channel} ${alert} ${sequence}`)
  return { clock, notifier, send, sent, told, attempts, outcomes }
}

const ok: Attempt = { ok: true }
const refused: Attempt = { ok: false, message: 'HTTP 500' }

describe('a notification', () => {
  it('goes out at once, and is there until it is settled', async () => {
    const { clock, notifier, send, told, outcomes } = home(() => ok)
    send('a/oncall', 'a/mail')
    expect(notifier.activity('a/oncall')).toEqual({ waiting: 1 })
    await clock.advance(0)
    expect(told()).toEqual(['0 a/oncall a/mail 1'])
    expect(notifier.delivery('a/oncall', 'a/mail', 1)).toEqual({ kind: 'Delivered' })
    expect(outcomes).toEqual(['a/mail'])
    send('a/oncall', 'a/mail')
    await clock.advance(0)
    expect(told()).toHaveLength(1)
    notifier.settle('a/oncall', 'a/mail', 1)
    expect(notifier.delivery('a/oncall', 'a/mail', 1)).toBeUndefined()
    expect(notifier.activity('a/oncall')).toMatchObject({ waiting: 0, last: { ok: true }, deliveredAtMs: clock.now() })
  })

  it('that is refused is sent again after pauses that double, up to five minutes, and given up after hours', async () => {
    const { clock, notifier, send, sent, attempts } = home(() => refused)
    send('a/oncall', 'a/mail')
    await clock.advance(0)
    expect(notifier.delivery('a/oncall', 'a/mail', 1)).toEqual({
      kind: 'Waiting',
      attempts: 1,
      message: 'HTTP 500',
      retryAtMs: clock.now() + 1000,
    })
    await clock.advance(12 * 3_600_000)
    const gaps = sent.slice(1).map(({ atSecond }, index) => atSecond - (sent[index]?.atSecond ?? 0))
    expect(gaps.slice(0, 11)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300])
    expect(sent).toHaveLength(mostAttempts)
    expect(sent.map(({ isAgain }) => isAgain).slice(0, 3)).toEqual([false, true, true])
    expect(notifier.delivery('a/oncall', 'a/mail', 1)).toEqual({ kind: 'GivenUp', attempts: mostAttempts, message: 'HTTP 500' })
    expect(attempts.slice(-2)).toEqual(['a/oncall Failed', 'a/oncall GivenUp'])
  })

  it('is superseded by the next one of its alert, also while it is under way, and they never overtake each other', async () => {
    const { clock, notifier, send, told } = home(({ sequence }) => (sequence === 2 ? 'hang' : sequence === 1 ? refused : ok))
    send('a/oncall', 'a/mail', 1)
    await clock.advance(500)
    send('a/oncall', 'a/mail', 2)
    send('a/oncall', 'a/mail', 3)
    send('a/oncall', 'a/mail', 2)
    await clock.advance(20_000)
    expect(told()).toEqual(['0 a/oncall a/mail 1', '0.5 a/oncall a/mail 2', '10.5 a/oncall a/mail 3'])
    expect(notifier.delivery('a/oncall', 'a/mail', 3)).toEqual({ kind: 'Delivered' })
  })

  it('of an alert that is gone is not sent any more', async () => {
    const { clock, notifier, send, told } = home(() => refused)
    send('a/oncall', 'a/mail')
    await clock.advance(0)
    notifier.forget('a/mail')
    await clock.advance(60_000)
    expect(told()).toHaveLength(1)
    expect(notifier.activity('a/oncall').waiting).toBe(0)
  })

  it('need not wait when its channel was corrected', async () => {
    const { clock, notifier, send, told } = home((_, attempt) => (attempt < 6 ? refused : ok))
    send('a/oncall', 'a/mail')
    await clock.advance(16_000)
    expect(told()).toHaveLength(5)
    notifier.retryNow('a/oncall')
    await clock.advance(0)
    expect(told().at(-1)).toBe('16 a/oncall a/mail 1')
    expect(notifier.delivery('a/oncall', 'a/mail', 1)).toEqual({ kind: 'Delivered' })
  })
})

describe('a receiver that hangs or refuses', () => {
  it('delays no other channel, and other alerts of its own only while it has four of them at once', async () => {
    const { clock, send, told } = home(({ channel, alert }) => (channel === 'a/bad' && alert !== 'a/late' ? 'hang' : ok))
    for (const alert of ['a/1', 'a/2', 'a/3', 'a/4', 'a/late']) send('a/bad', alert)
    for (const alert of ['a/1', 'a/2', 'a/3', 'a/4', 'a/5']) send('a/good', alert)
    await clock.advance(0)
    expect(told().filter((each) => each.includes('good'))).toHaveLength(5)
    await clock.advance(attemptTimeoutMs)
    // The channels that hung wait for their next attempt, and delay no other.
    expect(told().filter((each) => each.includes('a/late'))).toEqual(['10 a/bad a/late 1'])
  })

  it('shows the error of the last attempt, and nothing else of it', async () => {
    const { clock, notifier, send } = home(() => 'hang')
    send('a/bad', 'a/mail')
    await clock.advance(attemptTimeoutMs)
    expect(notifier.delivery('a/bad', 'a/mail', 1)).toMatchObject({ message: 'no answer within 10 s' })
    expect(notifier.activity('a/bad')).toMatchObject({ waiting: 1, last: { ok: false, message: 'no answer within 10 s' } })
  })
})

describe('the end of a term', () => {
  it('lets attempts in flight end, and waits until they are settled', async () => {
    const term = new AbortController()
    const { clock, notifier, send, outcomes, told } = home(({ alert }, attempt) => (alert === 'a/slow' && attempt === 1 ? 'hang' : ok))
    notifier.start(term.signal)
    send('a/oncall', 'a/mail')
    send('a/oncall', 'a/slow')
    await clock.advance(0)
    term.abort('stop')
    send('a/oncall', 'a/new')
    let isStopped = false
    void notifier.stopped.then(() => (isStopped = true))
    await clock.advance(attemptTimeoutMs)
    expect(outcomes).toEqual(['a/mail', 'a/slow'])
    expect([isStopped, told().length]).toEqual([false, 2])
    notifier.settle('a/oncall', 'a/mail', 1)
    await clock.advance(0)
    expect(isStopped).toBe(true)
  })

  it('waits at most 2 s for outcomes that are not settled, and not at all when the lease is lost', async () => {
    const { clock, notifier, send } = home(() => ok)
    const term = new AbortController()
    notifier.start(term.signal)
    send('a/oncall', 'a/mail')
    await clock.advance(0)
    term.abort('stop')
    await clock.advance(2_000)
    await notifier.stopped

    const lost = home(() => 'hang')
    const other = new AbortController()
    lost.notifier.start(other.signal)
    lost.send('a/oncall', 'a/mail')
    await lost.clock.advance(0)
    other.abort(taskmillError('TM_LEASE_LOST', 'gone'))
    await lost.notifier.stopped
    // Its outcome is unknown: the next leader sends it again.
    expect(lost.notifier.delivery('a/oncall', 'a/mail', 1)).toEqual({ kind: 'Waiting', attempts: 0 })
    expect(lost.attempts).toEqual([])
  })
})
