import type { Redis } from 'ioredis'
import type { Clock } from '../clock/index.ts'
import type { ConsumerHealth } from './consumer-port.ts'

export type ConsumerHealthDeps = {
  /** The connection that commands go over. */
  readonly redis: Redis
  readonly clock: Clock
  /** When jobs were last looked for, on the monotonic clock. */
  readonly lookedMs: () => number
  /** Whether there is a reason to look for jobs: a slot is free, and no drain has begun. */
  readonly isLooking: () => boolean
}

/** Keeps account of the connection, for whoever asks how the consumer is. */
export function createConsumerHealth({ redis, clock, lookedMs, isLooking }: ConsumerHealthDeps): () => ConsumerHealth {
  let hasConnected = redis.status === 'ready'
  let isConnected = hasConnected
  let sinceMs = clock.monotonicNow()
  const change = (connected: boolean) => () => {
    if (connected === isConnected) return
    isConnected = connected
    hasConnected ||= connected
    sinceMs = clock.monotonicNow()
  }
  redis.on('ready', change(true))
  redis.on('close', change(false))
  return () => {
    const nowMs = clock.monotonicNow()
    return {
      hasConnected,
      awayMs: isConnected ? 0 : nowMs - sinceMs,
      stuckMs: isConnected && isLooking() ? nowMs - Math.max(sinceMs, lookedMs()) : 0,
    }
  }
}
