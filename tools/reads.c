#include "tools/reads.h"

void dh_reads_text(struct dh_buf *out, const struct dh_model_reads *r)
{
    uint64_t all = r->hits + r->misses;
    dh_buf_printf(
        out,
        "memory: %.0f MiB for weights, %.0f of them for what every token "
        "needs; %.1f %% of %llu experts were there, %.1f MB were read",
        (double)r->budget_bytes / 0x1p20, (double)r->resident_bytes / 0x1p20,
        all ? 100.0 * (double)r->hits / (double)all : 100.0,
        (unsigned long long)all, (double)r->bytes / 1e6);
    if (r->read_s > 0)
        dh_buf_printf(out, " at %.0f MB/s", (double)r->bytes / 1e6 / r->read_s);
    dh_buf_printf(out, ", %.2f s waited for them\n", r->wait_s);
}

void dh_reads_print(FILE *to, const struct dh_model_reads *r)
{
    struct dh_buf out;
    dh_buf_init(&out, 1 << 12);
    dh_reads_text(&out, r);
    fputs(dh_buf_text(&out), to);
    dh_buf_finish(&out);
}

void dh_reads_put(struct dh_json_writer *w, const struct dh_model_reads *r)
{
    dh_jw_object(w, "memory");
    dh_jw_i64(w, "budget_bytes", r->budget_bytes);
    dh_jw_i64(w, "resident_bytes", r->resident_bytes);
    dh_jw_i64(w, "hits", (int64_t)r->hits);
    dh_jw_i64(w, "misses", (int64_t)r->misses);
    dh_jw_i64(w, "read_bytes", (int64_t)r->bytes);
    dh_jw_double(w, "read_s", r->read_s);
    dh_jw_double(w, "wait_s", r->wait_s);
    dh_jw_end_object(w);
}

void dh_reads_end(FILE *to, bool json, const struct dh_model_reads *r)
{
    struct dh_buf out;
    struct dh_json_writer w;
    if (!json) {
        dh_reads_print(to, r);
        return;
    }
    dh_buf_init(&out, 1 << 12);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "event", "end");
    dh_reads_put(&w, r);
    dh_jw_end_object(&w);
    puts(dh_buf_text(&out));
    dh_buf_finish(&out);
}
