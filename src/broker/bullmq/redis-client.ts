import { Redis, type RedisOptions } from 'ioredis'

const sharedOptions = {
  // Replies keep one shape on every server, proxy and version.
  protocol: 2,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  // With any other number ioredis would keep commands of a broken connection, and never settle them once it is not to resend them.
  maxRetriesPerRequest: 0,
} as const

/**
 * Makes a client of ioredis that BullMQ's workers of many queues can share. It is ready when the server has loaded its data.
 *
 * ioredis asks the server for that in its private method `_readyCheck`, and writes to the console when the user may not ask. The method here
 * asks for less, and takes a user that may not ask for ready.
 */
export function createRedisClient(options: Omit<RedisOptions, keyof typeof sharedOptions | 'replyMapping'>): Redis {
  const redis = new Redis({ ...options, ...sharedOptions })
  Object.assign(redis, {
    _readyCheck: (answer: (error: Error | undefined, info?: object) => void) =>
      void redis.info('persistence').then(
        (info) => (/^loading:1/mu.test(info) ? answer(new Error('it is loading its data')) : answer(undefined, {})),
        (error: Error) => (error.message.startsWith('NOPERM') ? answer(undefined, {}) : answer(error)),
      ),
  })
  // One set of listeners for each queue that shares the connection, and for each job that waits for it. Not 0: BullMQ counts up from there.
  redis.setMaxListeners(10_000)
  return redis
}
