import type { Broker } from '../../broker/index.ts'
import type { Clock } from '../../clock/index.ts'

/**
 * The brokers' clocks. Slots, retries and windows are computed on the broker's time, which every answer of a broker carries: the offset to
 * this process's clock is that of the last answer. The wall clock of either side may jump; the next answer corrects that.
 */
export type BrokerClock = {
  /** Unix milliseconds at that broker; this process's own time until the broker has answered once. */
  now(broker: Broker): number
  /** An answer of the broker carried this time. */
  set(broker: Broker, brokerTimeMs: number): void
}

/** The offset of a broker goes with its connection. */
export function createBrokerClock(clock: Pick<Clock, 'now'>): BrokerClock {
  const offsetsMs = new WeakMap<Broker, number>()
  return {
    now: (broker) => clock.now() + (offsetsMs.get(broker) ?? 0),
    set: (broker, brokerTimeMs) => void offsetsMs.set(broker, brokerTimeMs - clock.now()),
  }
}
