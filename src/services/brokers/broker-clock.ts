import type { Broker } from '../../broker/index.ts'
import type { Clock } from '../../clock/index.ts'

/**
 * The brokers' clocks. Slots, retries and windows are computed on the broker's time, which answers of a broker carry.
 *
 * The broker was at the time in its answer after the call began and before the answer was read: that bounds the difference of the two clocks. The
 * difference that is known stays while it is within these bounds, so that an answer that a busy process reads late makes no slot late. Where the
 * clock of either side has jumped, it is moved to the nearest bound.
 */
export type BrokerClock = {
  /** Unix milliseconds at that broker; this process's own time until the broker has answered once. */
  now(broker: Broker): number
  /** Makes a call, and learns the broker's time from its answer if that carries it as `brokerTimeMs`. */
  timed<T extends object>(broker: Broker, call: () => Promise<T>): Promise<T>
}

/** The difference to a broker goes with its connection. */
export function createBrokerClock(clock: Pick<Clock, 'now'>): BrokerClock {
  const offsetsMs = new WeakMap<Broker, number>()
  return {
    now: (broker) => clock.now() + (offsetsMs.get(broker) ?? 0),
    async timed(broker, call) {
      const begunMs = clock.now()
      const answer = await call()
      const brokerTimeMs = 'brokerTimeMs' in answer ? Number(answer.brokerTimeMs) : undefined
      if (brokerTimeMs === undefined) return answer
      const [least, most] = [brokerTimeMs - clock.now(), brokerTimeMs - begunMs]
      // The least, if nothing is known: to be early is refused by the broker, and costs a round trip.
      offsetsMs.set(broker, Math.max(Math.min(offsetsMs.get(broker) ?? least, most), least))
      return answer
    },
  }
}
