import { array, assert, boolean, constantFrom, integer, property, record as recordOf } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AlertRecord, newest, newRecord } from './record.ts'
import { advance } from './advance.ts'
import type { Measurement } from './facts.ts'
import { type ChannelRules, decideNotifications, type NotifyRules, withDelivery } from './notify.ts'

const start = Date.parse('2026-11-29T02:50:00Z')
const yes = (text = '23%'): Measurement => ({ known: true, holds: true, text, amount: '23' })
const no = { known: true, holds: false, text: '2%', amount: '2' } as const
const unknown: Measurement = { known: false, reason: 'BrokerUnreachable', message: 'away' }

/** The phases that a sequence of measurements, ten seconds apart, leads to. */
function phases(measurements: readonly Measurement[], forSeconds: number): readonly string[] {
  let record = newRecord(start)
  return measurements.map((measurement, index) => {
    record = advance(record, measurement, forSeconds, start + index * 10_000).record
    return record.phase
  })
}

describe('an alert', () => {
  it.each<[string, readonly Measurement[], number, readonly string[]]>([
    ['fires at once without forSeconds', [no, yes(), yes(), no], 0, ['Inactive', 'Firing', 'Firing', 'Inactive']],
    ['is pending first with them', [yes(), yes(), yes(), yes()], 20, ['Pending', 'Pending', 'Firing', 'Firing']],
    [
      'is not pending any more when it was nothing',
      [yes(), no, yes(), yes(), yes()],
      20,
      ['Pending', 'Inactive', 'Pending', 'Pending', 'Firing'],
    ],
    [
      'keeps firing while the value is unknown',
      [yes(), unknown, unknown, unknown, no],
      0,
      ['Firing', 'Firing', 'Firing', 'Firing', 'Inactive'],
    ],
    ['does not begin to fire while nobody knows', [yes(), unknown, unknown, yes()], 20, ['Pending', 'Pending', 'Pending', 'Firing']],
    ['stays inactive while nobody knows', [unknown, unknown, no], 0, ['Inactive', 'Inactive', 'Inactive']],
  ])('%s', (_, measurements, forSeconds, expected) => {
    expect(phases(measurements, forSeconds)).toEqual(expected)
  })

  it('numbers its transitions, with the value that made them, and keeps the last ten', () => {
    let record = newRecord(start)
    for (let index = 0; index < 24; index++) {
      const { record: next, transition } = advance(record, index % 2 === 0 ? yes(`${index}%`) : no, 0, start + index * 1000)
      record = next
      expect(transition).toMatchObject({ sequence: index + 1, to: index % 2 === 0 ? 'Firing' : 'Resolved', atMs: start + index * 1000 })
      expect(record.sinceMs).toBe(start + index * 1000)
    }
    expect(record.transitions.map(({ sequence }) => sequence)).toEqual([15, 16, 17, 18, 19, 20, 21, 22, 23, 24])
    expect(record.transitions[8]).toMatchObject({ text: '22%', to: 'Firing' })
  })

  it('says when to look again: when forSeconds are over, or the value changes by itself', () => {
    expect(advance(newRecord(start), yes(), 60, start).againAtMs).toBe(start + 60_000)
    expect(advance(newRecord(start), { ...no, changesAtMs: start + 5 }, 60, start).againAtMs).toBe(start + 5)
    expect(advance(newRecord(start), no, 60, start)).not.toHaveProperty('againAtMs')
    expect(advance(newRecord(start), unknown, 60, start)).not.toHaveProperty('againAtMs')
  })

  it('has the very same record while the same is the case, so that nothing is written', () => {
    const { record } = advance(newRecord(start), yes(), 0, start)
    expect(advance(record, yes('29%'), 0, start + 9000).record).toBe(record)
    expect(advance(record, unknown, 0, start + 9000).record).toBe(record)
  })
})

const oncall: ChannelRules = { minimumSeverity: 'Warning', sendResolved: true }

function rulesOf(change: Partial<NotifyRules> = {}): NotifyRules {
  return { severity: 'Critical', cooldownSeconds: 0, channels: new Map([['oncall', oncall]]), ...change }
}

const at = (second: number): number => start + second * 1000

/** An alert that fires (odd) and resolves (even) at these seconds; what is decided at each of them and at those of `looks`. */
function decisions(
  rules: (second: number) => NotifyRules,
  transitions: readonly number[],
  looks: readonly number[] = [],
): readonly string[] {
  let record = newRecord(start)
  const seen: string[] = []
  for (const second of [...transitions, ...looks].toSorted((a, b) => a - b)) {
    const index = transitions.indexOf(second)
    if (index >= 0) ({ record } = advance(record, index % 2 === 0 ? yes() : no, 0, at(second)))
    const before = record
    const { record: next, heldBack } = decideNotifications(record, rules(second), at(second))
    record = next
    for (const decided of record.notifications) {
      if (before.notifications.every((each) => each.channel !== decided.channel || each.sequence < decided.sequence)) {
        seen.push(`${second} ${decided.channel} ${decided.to} ${decided.sequence}`)
      }
    }
    for (const { channel, reason, untilMs } of heldBack) {
      seen.push(`${second} ${channel} ${reason}${untilMs === undefined ? '' : ` until ${(untilMs - start) / 1000}`}`)
    }
  }
  return seen
}

describe('a channel', () => {
  it('is notified of each transition once', () => {
    expect(decisions(() => rulesOf(), [10, 20], [11, 12, 21, 22])).toEqual(['10 oncall Firing 1', '20 oncall Resolved 2'])
  })

  it('is not notified during the cooldown, and afterwards if the alert still fires', () => {
    const rules = () => rulesOf({ cooldownSeconds: 60 })
    expect(decisions(rules, [10, 20, 30], [69, 70, 80])).toEqual([
      '10 oncall Firing 1',
      '20 oncall Resolved 2',
      '30 oncall CoolingDown until 70',
      '69 oncall CoolingDown until 70',
      '70 oncall Firing 3',
    ])
    expect(decisions(rules, [10, 20, 30, 40], [69, 70, 80])).toEqual([
      '10 oncall Firing 1',
      '20 oncall Resolved 2',
      '30 oncall CoolingDown until 70',
    ])
  })

  it('is not notified of a resolution without sendResolved, or if it was never notified of the firing', () => {
    const silent = new Map([['oncall', { minimumSeverity: 'Info', sendResolved: false } as const]])
    expect(decisions(() => rulesOf({ channels: silent }), [10, 20, 30])).toEqual(['10 oncall Firing 1', '30 oncall Firing 3'])
    const late = (second: number) => rulesOf(second < 15 ? { channels: new Map() } : {})
    expect(decisions(late, [10, 20], [21])).toEqual([])
  })

  it('that comes later is notified of alerts that fire', () => {
    const late = (second: number) => rulesOf(second < 15 ? { channels: new Map([['oncall', undefined]]) } : {})
    expect(decisions(late, [10], [15, 16])).toEqual(['10 oncall ChannelNotFound', '15 oncall Firing 1'])
  })

  it('takes its minimum of severity and more', () => {
    expect(decisions(() => rulesOf({ severity: 'Info' }), [10, 20])).toEqual(['10 oncall BelowMinimumSeverity'])
    expect(decisions(() => rulesOf({ severity: 'Warning' }), [10])).toEqual(['10 oncall Firing 1'])
  })

  it('hears nothing while the alert is silenced, and afterwards what is the case then', () => {
    const quiet = { kind: 'Silenced', untilMs: at(50) } as const
    const rules = (second: number) => rulesOf(second < 50 ? { quiet } : {})
    expect(decisions(rules, [10], [50])).toEqual(['10 oncall Silenced until 50', '50 oncall Firing 1'])
    expect(decisions(rules, [10, 20], [50])).toEqual(['10 oncall Silenced until 50'])
    const early = (second: number) => rulesOf(second > 15 && second < 50 ? { quiet } : {})
    expect(decisions(early, [10, 20], [50])).toEqual(['10 oncall Firing 1', '20 oncall Silenced until 50', '50 oncall Resolved 2'])
  })

  it('hears no more of an acknowledged alert but that it is resolved', () => {
    const quiet = { kind: 'Acknowledged', untilMs: at(50) } as const
    const rules = (second: number) => rulesOf(second > 15 && second < 50 ? { quiet } : {})
    expect(decisions(rules, [10, 20, 30], [50])).toEqual([
      '10 oncall Firing 1',
      '20 oncall Resolved 2',
      '30 oncall Acknowledged until 50',
      '50 oncall Firing 3',
    ])
  })

  it('has one notification at a time: the newest, of which the outcome counts', () => {
    let { record } = decideNotifications(advance(newRecord(start), yes(), 0, start).record, rulesOf(), start)
    record = withDelivery(record, 'oncall', 1, { delivery: 'Pending', message: 'HTTP 500, attempt 1' })
    expect(record.notifications).toMatchObject([{ delivery: 'Pending', message: 'HTTP 500, attempt 1' }])
    record = decideNotifications(advance(record, no, 0, at(9)).record, rulesOf(), at(9)).record
    expect(record.notifications).toMatchObject([{ sequence: 2, to: 'Resolved', delivery: 'Pending', firedAtMs: start }])
    expect(record.notifications[0]).not.toHaveProperty('message')
    expect(withDelivery(record, 'oncall', 1, { delivery: 'Delivered' })).toEqual(record)
    expect(withDelivery(record, 'oncall', 2, { delivery: 'Delivered' }).notifications).toMatchObject([{ delivery: 'Delivered' }])
  })

  it('that is named no more is forgotten', () => {
    const { record } = decideNotifications(advance(newRecord(start), yes(), 0, start).record, rulesOf(), start)
    expect(decideNotifications(record, rulesOf({ channels: new Map() }), at(1)).record.notifications).toEqual([])
  })
})

const moments = array(
  recordOf({
    afterSeconds: integer({ min: 0, max: 40 }),
    value: constantFrom('yes', 'no', 'unknown'),
    quiet: constantFrom(undefined, 'Acknowledged', 'Silenced'),
    restart: boolean(),
  }),
  { maxLength: 60 },
)
const channelRules = constantFrom<ChannelRules>(
  undefined,
  { minimumSeverity: 'Info', sendResolved: true },
  { minimumSeverity: 'Warning', sendResolved: false },
  { minimumSeverity: 'Critical', sendResolved: true },
)
const settings = recordOf({
  forSeconds: constantFrom(0, 30),
  cooldownSeconds: constantFrom(0, 60),
  severity: constantFrom('Info', 'Warning', 'Critical'),
  a: channelRules,
  b: channelRules,
})

describe('whatever happens', () => {
  it('an unknown value changes no phase, each transition is notified at most once, and the record alone continues', () => {
    assert(
      property(settings, moments, ({ forSeconds, cooldownSeconds, severity, a, b }, steps) => {
        let [record, twin] = [newRecord(start), newRecord(start)]
        let nowMs = start
        const told = new Map<string, number[]>()
        const fired = new Map<string, number>()
        for (const { afterSeconds, value, quiet, restart } of steps) {
          nowMs += afterSeconds * 1000 + 137
          const measurement = value === 'unknown' ? unknown : value === 'yes' ? yes() : no
          const rules: NotifyRules = {
            severity,
            cooldownSeconds,
            channels: new Map([
              ['a', a],
              ['b', b],
            ]),
            quiet: quiet === undefined ? undefined : { kind: quiet, untilMs: nowMs + 5000 },
          }
          const before = record
          const look = (from: AlertRecord) => decideNotifications(advance(from, measurement, forSeconds, nowMs).record, rules, nowMs).record
          record = look(record)
          // Another process, which knows only what was stored.
          twin = look(restart ? (JSON.parse(JSON.stringify(twin)) as AlertRecord) : twin)
          expect(twin).toEqual(record)
          if (!measurement.known) expect([record.phase, record.sequence]).toEqual([before.phase, before.sequence])
          expect(record.sequence - before.sequence).toBeLessThanOrEqual(1)
          if (record.sequence > before.sequence) expect(newest(record)?.to).toBe(record.phase === 'Firing' ? 'Firing' : 'Resolved')
          for (const each of record.notifications) {
            const last = before.notifications.find(({ channel }) => channel === each.channel)
            if (last?.sequence === each.sequence) continue
            const all = told.get(each.channel) ?? []
            expect(all).not.toContain(each.sequence)
            told.set(each.channel, [...all, each.sequence])
            expect(quiet).not.toBe('Silenced')
            if (each.to === 'Firing') {
              expect(quiet).toBeUndefined()
              expect(nowMs - (fired.get(each.channel) ?? -Infinity)).toBeGreaterThanOrEqual(cooldownSeconds * 1000)
              fired.set(each.channel, each.atMs)
            } else expect(last?.to).toBe('Firing')
          }
        }
      }),
      { numRuns: 500 },
    )
  })

  it('a lasting firing is notified as soon as silence and cooldown are over, at the moment that was announced', () => {
    assert(
      property(integer({ min: 1, max: 90 }), integer({ min: 0, max: 90 }), (quietSeconds, cooldownSeconds) => {
        const quiet = { kind: 'Silenced', untilMs: at(quietSeconds) } as const
        const { record } = advance(newRecord(start), yes(), 0, start)
        const first = decideNotifications(record, rulesOf({ quiet, cooldownSeconds }), start)
        expect(first.againAtMs).toBe(quiet.untilMs)
        expect(decideNotifications(first.record, rulesOf({ cooldownSeconds }), quiet.untilMs).record.notifications).toHaveLength(1)
      }),
    )
  })
})
