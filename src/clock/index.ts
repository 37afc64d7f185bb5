/**
 * Time as a value. Nothing below `main/` reads the system's time or sets a timer by itself: it gets a `Clock`, so that
 * tests run hours in microseconds and never sleep.
 *
 * Guarantees: a delay beyond what Node supports (2^31-1 ms, about 24.8 days) is clamped instead of firing at once.
 * `sleep` and a disposed `deadline` leave no timer and no listener behind, however they end.
 * Does not: guarantee accuracy. Code that waits for a time checks the time again when its timer fires.
 */
export { maxDelayMs, systemClock, type Clock, type TimerHandle } from './clock.ts'
export { deadline, sleep, type Deadline } from './waiting.ts'
export { fakeClock, type FakeClock } from './fake-clock.ts'
