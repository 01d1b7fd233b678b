/** One hash per subject, which is all that a script touches. */
export const keyOf = (space: string, subject: string): string => `slipway:${space}:${subject}`;

/** Among the fields beside `edition`. */
export const fieldOf = (question: string): string => `answer ${question}`;

export const lookScript = `
local edition = redis.call('HGET', KEYS[1], 'edition')
if not edition then
  edition = ARGV[2]
  redis.call('HSET', KEYS[1], 'edition', edition)
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return { edition, redis.call('HGET', KEYS[1], ARGV[1]) }`;

export const keepScript = `
if redis.call('HGET', KEYS[1], 'edition') == ARGV[1] then redis.call('HSET', KEYS[1], ARGV[2], ARGV[3]) end
return 1`;
