//! A caller that knows a breaker by the words of its cell alone, as JavaScript does.
