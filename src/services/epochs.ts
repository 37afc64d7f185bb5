import type { Broker } from '../broker/index.ts'
import { sleep, type Clock } from '../clock/index.ts'
import { errorMessage } from '../errors/index.ts'
import type { Logger } from '../observability/index.ts'
import type { Brokers } from './brokers.ts'

/**
 * Tells every broker the epoch of this leader, so that it can refuse what a former one still sends. Brokers that appear later, or were
 * away, are told within a second or two; nothing is sent while there is nothing new.
 *
 * A broker that knew an epoch as high as ours has seen a leader that our lease knows nothing of (the Lease was deleted, a snapshot was
 * restored): then `outbid` is called, and the higher epoch that follows is announced to all.
 */
export function createEpochs(deps: {
  readonly brokers: Pick<Brokers, 'all'>
  readonly clock: Clock
  readonly log: Logger
  readonly epoch: () => number
  readonly outbid: (seen: number) => void
}): { readonly name: string; start(signal: AbortSignal): void; readonly stopped: Promise<void> } {
  const { brokers, clock, log, outbid } = deps
  const announced = new WeakMap<Broker, number>()
  const stopped = Promise.withResolvers<void>()

  async function announce(broker: Broker, epoch: number): Promise<void> {
    try {
      const known = await broker.announceEpoch(epoch)
      announced.set(broker, epoch)
      if (known < epoch) return
      log.warn({ epoch, known }, 'a broker has seen an epoch that is not lower, outbidding it')
      outbid(known)
    } catch (error) {
      log.debug({ epoch, error: errorMessage(error) }, 'cannot announce the epoch, trying again')
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const epoch = deps.epoch()
      const untold = brokers.all().filter((broker) => announced.get(broker) !== epoch)
      await Promise.all(untold.map((broker) => announce(broker, epoch)))
      await sleep(clock, 1_000, signal).catch(() => {})
    }
  }

  return {
    name: 'epoch',
    start: (signal) => void run(signal).then(stopped.resolve, stopped.reject),
    stopped: stopped.promise,
  }
}
